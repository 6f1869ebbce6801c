//! Means that are added up.

/// A mean that is added up; 0 of nothing.
#[derive(Clone, Copy, Default)]
pub struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    /// Adds one value.
    pub fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    /// The mean.
    pub fn value(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }
}
