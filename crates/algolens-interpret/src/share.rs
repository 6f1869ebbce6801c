//! Shares of items.

/// The share of items that satisfy a predicate; 0 for no items.
pub(super) fn share<T>(items: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    items.iter().filter(|item| holds(item)).count() as f64 / items.len().max(1) as f64
}
