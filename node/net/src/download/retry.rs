//! Repeats what failed in passing, with longer and longer waits.

use std::time::Duration;

use reqwest::Url;

use super::options::{Options, Retry};
use super::part::Part;
use super::{DownloadError, remote};
use crate::http::{Http, Settings};

/// A try that brought this much was no failure, even if it was cut: on a bad line a large file comes
/// in many pieces.
const WORTH_BYTES: u64 = 1 << 20;

/// Fetches a URL into the part file, in as many tries as are allowed.
pub(super) async fn fetch(
    url: &Url,
    part: &mut Part,
    options: &mut Options,
) -> Result<(), DownloadError> {
    let http = Http::new(settings(options))?;
    let mut attempts = 0;
    loop {
        let before = part.bytes();
        let error = match remote::attempt(&http, url, (part, options)).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        part.flush().await?;
        if part.bytes() >= before + WORTH_BYTES {
            attempts = 0;
        }
        attempts += 1;
        if !error.is_passing() || attempts >= options.retry.attempts_max {
            return Err(error);
        }
        tokio::time::sleep(delay(options.retry, attempts, error.retry_after())).await;
    }
}

fn settings(options: &Options) -> Settings {
    Settings {
        connect_timeout: options.connect_timeout,
        private_addresses: options.private_addresses,
        redirects_max: options.redirects_max,
    }
}

/// The wait after so many failures; what the server asks for counts if it is more.
fn delay(retry: Retry, failures: u32, asked: Option<Duration>) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let own = retry.delay_first.saturating_mul(doubled);
    own.max(asked.unwrap_or_default()).min(retry.delay_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let seconds = Duration::from_secs;
        let retry = Retry { attempts_max: 9, delay_first: seconds(1), delay_max: seconds(10) };
        let waits: Vec<_> = (1..6).map(|failures| delay(retry, failures, None)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 10].map(seconds));
        assert_eq!(delay(retry, 1, Some(seconds(5))), seconds(5));
        assert_eq!(delay(retry, 1, Some(seconds(500))), seconds(10));
        assert_eq!(delay(retry, u32::MAX, None), seconds(10));
    }
}
