//! One ranking out of two.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::PointId;

/// Rank that counts half as much as none before it: Cormack, Clarke and Büttcher (2009) found 60 good
/// and little depending on it.
pub const RANK_CONSTANT: f32 = 60.0;

/// A point that an engine found.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Its name.
    pub id: PointId,
    /// How well it fits.
    pub score: f32,
    /// Its payload.
    pub payload: Map<String, Value>,
}

/// How two rankings become one. Both weigh words by `words_weight`, from 0 (vectors alone) to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fusion {
    /// By the places alone: `weight / (60 + place)`, summed.
    ReciprocalRank {
        /// The weight of words.
        words_weight: f32,
    },
    /// By the scores, each ranking's stretched to reach from 0 to 1: what gaianet does.
    MinMax {
        /// The weight of words; gaianet's is 0.7.
        words_weight: f32,
    },
}

impl Default for Fusion {
    fn default() -> Self {
        Self::ReciprocalRank { words_weight: 0.5 }
    }
}

/// What each place of a ranking adds.
type Shares = fn(&[Ranked]) -> Vec<f32>;

/// Fuses two rankings, each best first with more as better; the result too. A point of equal score
/// keeps its place by id, so that the same question has the same answer.
#[must_use]
pub fn fuse(vectors: Vec<Ranked>, words: Vec<Ranked>, fusion: Fusion) -> Vec<Ranked> {
    let (words_weight, shares): (f32, Shares) = match fusion {
        Fusion::ReciprocalRank { words_weight } => (words_weight, by_rank),
        Fusion::MinMax { words_weight } => (words_weight, by_score),
    };
    let mut all: HashMap<PointId, Ranked> = HashMap::new();
    for (list, weight) in [(vectors, 1.0 - words_weight), (words, words_weight)] {
        let shares = shares(&list);
        for (ranked, share) in list.into_iter().zip(shares) {
            let new = Ranked { score: 0.0, ..ranked };
            all.entry(new.id).or_insert(new).score += weight * share;
        }
    }
    let mut fused: Vec<_> = all.into_values().collect();
    sort(&mut fused);
    fused
}

/// Best first; equal scores by id.
pub(super) fn sort(list: &mut [Ranked]) {
    list.sort_by(|one, other| other.score.total_cmp(&one.score).then(one.id.cmp(&other.id)));
}

fn by_rank(list: &[Ranked]) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "places are small numbers")]
    let share = |place: usize| 1.0 / (RANK_CONSTANT + place as f32 + 1.0);
    (0..list.len()).map(share).collect()
}

/// Scores from 0 to 1. Where all are equal, all are as good as the best: a single hit is a hit.
fn by_score(list: &[Ranked]) -> Vec<f32> {
    let scores = || list.iter().map(|ranked| ranked.score);
    let (low, high) = (scores().fold(f32::MAX, f32::min), scores().fold(f32::MIN, f32::max));
    let span = high - low;
    scores().map(|score| if span > 0.0 { (score - low) / span } else { 1.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(points: &[(u64, f32)]) -> Vec<Ranked> {
        let point = |&(id, score)| Ranked { id: PointId::Number(id), score, payload: Map::new() };
        points.iter().map(point).collect()
    }

    fn ids(list: &[Ranked]) -> Vec<String> {
        list.iter().map(|ranked| ranked.id.to_string()).collect()
    }

    #[test]
    fn what_both_found_comes_before_what_one_found() {
        for fusion in [Fusion::default(), Fusion::MinMax { words_weight: 0.5 }] {
            let vectors = list(&[(1, 0.9), (2, 0.8), (3, 0.1)]);
            let words = list(&[(2, 9.0), (4, 8.0), (5, 1.0)]);
            let fused = fuse(vectors, words, fusion);
            assert_eq!(ids(&fused)[0], "2", "{fusion:?}");
            assert_eq!(fused.len(), 5);
        }
    }

    #[test]
    fn a_single_hit_of_min_max_is_a_hit_and_weights_hold() {
        let fused = fuse(vec![], list(&[(7, 0.3)]), Fusion::MinMax { words_weight: 0.7 });
        assert!((fused[0].score - 0.7).abs() < 1e-6);
        let vectors_only = Fusion::ReciprocalRank { words_weight: 0.0 };
        let fused = fuse(list(&[(1, 0.9)]), list(&[(2, 9.0)]), vectors_only);
        assert_eq!(ids(&fused), ["1", "2"]);
        assert!(fused[1].score.abs() < f32::EPSILON);
    }

    #[test]
    fn equal_scores_are_in_the_order_of_ids() {
        let fused = fuse(list(&[(9, 1.0)]), list(&[(3, 1.0)]), Fusion::default());
        assert_eq!(ids(&fused), ["3", "9"]);
        assert!(fuse(vec![], vec![], Fusion::default()).is_empty());
    }
}
