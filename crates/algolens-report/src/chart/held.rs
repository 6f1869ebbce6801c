//! Arrays by their names.

use crate::ReportError;
use algolens::{Error, interpret::Arrays};
use ndarray::{ArrayView, ArrayView1, ArrayView2, Axis, Dimension};

/// The arrays that charts are made from.
#[derive(Clone, Copy)]
pub(super) struct Held<'a>(pub &'a Arrays);

impl<'a> Held<'a> {
    /// What remains of an array after fixing its leading axes.
    ///
    /// # Errors
    /// An array that is not there, or has another shape.
    pub fn part<D: Dimension>(self, name: &str, lead: &[usize]) -> Result<ArrayView<'a, f32, D>, ReportError> {
        let invalid = |expected: String, found: String| Error::invalid(format!("the array {name}"), expected, found);
        let array = self.0.get(name);
        let mut part = array.ok_or_else(|| invalid("among the arrays".into(), "none".into()))?.view();
        for &index in lead {
            if part.shape().first().is_none_or(|len| *len <= index) {
                return Err(invalid(format!("an axis longer than {index}"), format!("{:?}", part.shape())).into());
            }
            part = part.index_axis_move(Axis(0), index);
        }
        let (axes, shape) = (D::NDIM.unwrap_or(0), format!("{:?}", part.shape()));
        Ok(part.into_dimensionality().map_err(|_| invalid(format!("{axes} axes after those that are fixed"), shape))?)
    }

    /// A vector of an array.
    pub fn vector(self, name: &str, lead: &[usize]) -> Result<ArrayView1<'a, f32>, ReportError> {
        self.part(name, lead)
    }

    /// A matrix of an array.
    pub fn matrix(self, name: &str, lead: &[usize]) -> Result<ArrayView2<'a, f32>, ReportError> {
        self.part(name, lead)
    }

    /// The largest absolute value of an array; 1 if all are zero or blank.
    pub fn largest(self, name: &str) -> f32 {
        let numbers = self.0.get(name).into_iter().flatten();
        let largest = numbers.map(|number| number.abs()).filter(|size| size.is_finite()).fold(0.0, f32::max);
        if largest > 0.0 { largest } else { 1.0 }
    }

    /// Whether there is an array of this name.
    pub fn has(self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
