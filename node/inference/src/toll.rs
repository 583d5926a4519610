//! What checking a guess costs. Pure.
//!
//! A step of one token mostly reads the weights, and one more token rides along: for nearly nothing on
//! a GPU or a matrix unit, for a good part of a step's time where computing is what takes the time. So
//! it is measured, once for each engine: then the same request is computed in the same steps again.

use std::time::Duration;

/// Tokens of the larger step that is measured.
pub(crate) const MEASURED_TOKENS: u16 = 8;

/// Where nothing could be measured: as on two cores with a matrix unit.
const SHARE_UNKNOWN: f32 = 0.2;

/// The price of one more token in a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Toll {
    /// Its time, as a share of the time of a step of one token; from 0 to 1.
    share: f32,
}

impl Default for Toll {
    fn default() -> Self {
        Self { share: SHARE_UNKNOWN }
    }
}

impl Toll {
    /// From the times of a step of one token and of one of [`MEASURED_TOKENS`].
    pub(crate) fn measured(one: Duration, more: Duration) -> Self {
        if one.is_zero() {
            return Self::default();
        }
        let each = more.saturating_sub(one).as_secs_f32() / f32::from(MEASURED_TOKENS - 1);
        Self { share: (each / one.as_secs_f32()).min(1.0) }
    }

    /// As it was set.
    pub(crate) fn percent(percent: u8) -> Self {
        Self { share: f32::from(percent.min(100)) / 100.0 }
    }

    /// Share of the guesses that must come true to pay for all of them, beside so many streams: with
    /// many streams a step is computing anyway, and each token of it costs its time.
    pub(crate) fn pays_from(self, streams: usize) -> f32 {
        let streams = f32::from(u16::try_from(streams.max(1)).unwrap_or(u16::MAX));
        let tokens = self.share * streams;
        tokens / (1.0 - self.share + tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(one: u64, more: u64) -> Toll {
        Toll::measured(Duration::from_millis(one), Duration::from_millis(more))
    }

    fn about(left: f32, right: f32) -> bool {
        (left - right).abs() < 0.01
    }

    #[test]
    fn where_tokens_ride_along_for_nothing_every_guess_pays() {
        assert!(about(milliseconds(10, 10).pays_from(1), 0.0));
        assert!(about(milliseconds(10, 9).pays_from(200), 0.0));
    }

    #[test]
    fn where_each_token_takes_a_step_s_time_no_guess_pays() {
        assert!(about(milliseconds(10, 80).pays_from(1), 1.0));
        assert!(about(milliseconds(10, 900).pays_from(4), 1.0));
    }

    #[test]
    fn more_streams_want_more_luck() {
        let toll = milliseconds(10, 38);
        assert!(about(toll.pays_from(1), 0.4));
        assert!(about(toll.pays_from(4), 0.727));
        assert!(toll.pays_from(16) < 1.0);
        assert!(about(Toll::percent(40).pays_from(4), toll.pays_from(4)));
    }

    #[test]
    fn a_clock_that_stands_still_measures_nothing() {
        assert_eq!(milliseconds(0, 5), Toll::default());
    }
}
