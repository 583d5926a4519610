//! Which fixes to try first, and which to forget.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::record::Record;
use crate::coder::Fix;

/// Tried so often, a fix that helps less than once in ten times is forgotten.
const TRIED_ENOUGH: u32 = 8;
const HELPS_ONCE_IN: u32 = 10;

/// Tried so often without help, a fix is the first to go when there is no room.
const TRIED_IN_VAIN: u32 = 3;

/// How often a fix is expected to help where it is tried: `(helped + 1) / (used + 2)`, Laplace's rule
/// of succession. One that was never tried counts as one half; a single success is no certainty.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub fn rate(fix: &Fix) -> f32 {
    (fix.helped as f32 + 1.0) / (fix.used as f32 + 2.0)
}

/// How much is expected of a fix: how near its place is to this one, from 0 to 1, times how often it
/// helps at such places. As a product, because both must hold: a near fix that never helps and a good
/// one for another error are equally useless.
pub fn worth(fix: &Fix, nearness: f32) -> f32 {
    nearness.clamp(0.0, 1.0) * rate(fix)
}

/// Whether it has had its chances.
pub fn is_useless(fix: &Fix) -> bool {
    fix.used >= TRIED_ENOUGH && fix.helped.saturating_mul(HELPS_ONCE_IN) < fix.used
}

/// The `count` fixes that will be missed least: first what was tried in vain; then what nobody but its
/// owner sees, of those who have most of it, so that one key's flood washes out its own alone; then
/// what helps least.
pub fn least_useful(mut records: Vec<Record>, count: usize) -> Vec<Record> {
    let mut quarantined: HashMap<String, usize> = HashMap::new();
    for record in records.iter().filter(|record| record.is_quarantined()) {
        *quarantined.entry(record.owner.clone()).or_default() += 1;
    }
    let place = |record: &Record| {
        let fix = &record.fix;
        if fix.used >= TRIED_IN_VAIN && fix.helped == 0 {
            return (0, Reverse(fix.used as usize));
        }
        match record.is_quarantined() {
            true => (1, Reverse(quarantined.get(&record.owner).copied().unwrap_or(0))),
            false => (2, Reverse(0)),
        }
    };
    records.sort_by(|one, other| {
        let by_rate = rate(&one.fix).total_cmp(&rate(&other.fix));
        place(one).cmp(&place(other)).then(by_rate).then(one.fix.id.cmp(&other.fix.id))
    });
    records.truncate(count);
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, owner: &str, (used, helped): (u32, u32)) -> Record {
        let fix = Fix { id: id.into(), used, helped, ..Fix::default() };
        Record { fix, owner: owner.into() }
    }

    fn ids(records: &[Record]) -> Vec<&str> {
        records.iter().map(|record| record.fix.id.as_str()).collect()
    }

    #[test]
    fn what_never_helps_goes_before_what_nobody_sees_and_that_before_what_helps() {
        let trusted = |id: &str, counts| {
            let mut record = record(id, "", counts);
            record.fix.trusted = true;
            record
        };
        let all = vec![
            trusted("seed", (0, 0)),
            trusted("vain", (3, 0)),
            trusted("good", (9, 9)),
            record("one", "bob", (0, 0)),
            record("flood1", "eve", (0, 0)),
            record("flood2", "eve", (1, 1)),
            trusted("poor", (9, 1)),
        ];
        let order = least_useful(all, 9);
        assert_eq!(ids(&order), ["vain", "flood1", "flood2", "one", "poor", "seed", "good"]);
        assert_eq!(least_useful(order, 2).len(), 2);
    }

    #[test]
    fn a_fix_is_forgotten_only_after_its_chances() {
        let useless = |used, helped| is_useless(&record("", "", (used, helped)).fix);
        assert!(!useless(0, 0) && !useless(7, 0) && !useless(8, 2) && !useless(40, 10));
        assert!(useless(8, 0) && useless(30, 1));
    }

    #[test]
    fn nearness_and_success_both_count() {
        let fix = |used, helped| record("", "", (used, helped)).fix;
        assert!(worth(&fix(10, 9), 0.6) > worth(&fix(10, 1), 0.9));
        assert!(worth(&fix(0, 0), 0.9) > worth(&fix(0, 0), 0.6));
        assert!(worth(&fix(1, 1), 0.8) < worth(&fix(20, 20), 0.8));
        assert!(worth(&fix(0, 0), -3.0).abs() < f32::EPSILON);
    }
}
