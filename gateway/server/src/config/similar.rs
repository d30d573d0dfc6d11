//! The name that was meant by one that is none.

/// Bytes of the longest text for which a name is looked for.
const NAME_LEN_MAX: usize = 64;
/// Similarity from which a name is worth suggesting; below it suggestions are noise.
const SIMILAR_MIN: f64 = 0.6;

/// The one of `known` most similar to `name`, if any is.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    // Nobody means a short name by a long text, and the search would take its time.
    let is_short = name.len() <= NAME_LEN_MAX;
    is_short.then(|| most_similar(known.map(|known| (similarity(name, known), known))))?
}

/// From 0 for texts that have nothing in common to 1 for equal ones.
pub(super) fn similarity(left: &str, right: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(left, right)
}

/// The text of the highest similarity, if that is high enough.
pub(super) fn most_similar<'a>(scored: impl Iterator<Item = (f64, &'a str)>) -> Option<String> {
    let best = scored.max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.filter(|(score, _)| SIMILAR_MIN <= *score).map(|(_, known)| known.to_owned())
}
