//! A model's parameters: one flat vector, and views into it.

use super::{Config, ParamLayout, Slot};
use crate::{Error, Result, Scalar};
use ndarray::{
    Array, ArrayView, ArrayView2, ArrayViewD, ArrayViewMut, ArrayViewMut2, ArrayViewMutD, CowArray, Dim, Dimension,
    IntoDimension,
};
use std::sync::Arc;

/// Parameters, or anything with one number a parameter (gradients, Adam's moments).
#[derive(Clone, Debug, PartialEq)]
pub struct Params<T> {
    layout: Arc<ParamLayout>,
    values: Vec<T>,
}

impl<T: Scalar> Params<T> {
    /// All zeros.
    pub fn zeros(config: &Config) -> Self {
        Self::like(Arc::new(ParamLayout::of(config)))
    }

    /// All zeros, in the same layout as other parameters.
    pub fn like(layout: Arc<ParamLayout>) -> Self {
        let values = vec![T::zero(); layout.len()];
        Self { layout, values }
    }

    /// Where each tensor stands.
    pub fn layout(&self) -> &Arc<ParamLayout> {
        &self.layout
    }

    /// Every number, in the layout's order.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Every number, in the layout's order.
    pub fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// One tensor.
    pub fn get<const D: usize>(&self, slot: Slot<D>) -> ArrayView<'_, T, Dim<[usize; D]>>
    where
        [usize; D]: IntoDimension<Dim = Dim<[usize; D]>>,
        Dim<[usize; D]>: Dimension,
    {
        ArrayView::from_shape(slot.shape, &self.values[slot.range()]).expect("a slot's range has its shape's size")
    }

    /// One tensor.
    pub fn get_mut<const D: usize>(&mut self, slot: Slot<D>) -> ArrayViewMut<'_, T, Dim<[usize; D]>>
    where
        [usize; D]: IntoDimension<Dim = Dim<[usize; D]>>,
        Dim<[usize; D]>: Dimension,
    {
        ArrayViewMut::from_shape(slot.shape, &mut self.values[slot.range()])
            .expect("a slot's range has its shape's size")
    }

    /// One tensor that a model need not have, of this shape: zeros where it has not.
    pub fn get_or_zeros<const D: usize>(
        &self,
        slot: Option<Slot<D>>,
        shape: [usize; D],
    ) -> CowArray<'_, T, Dim<[usize; D]>>
    where
        [usize; D]: IntoDimension<Dim = Dim<[usize; D]>>,
        Dim<[usize; D]>: Dimension,
    {
        slot.map_or_else(|| Array::zeros(shape).into(), |slot| self.get(slot).into())
    }

    /// The unembedding, `[d_model, d_vocab_out]`: `W_U`, or `W_E` transposed where the embeddings are tied.
    pub fn unembedding(&self) -> ArrayView2<'_, T> {
        match self.layout.W_U {
            Some(w_u) => self.get(w_u),
            None => self.get(self.layout.W_E).reversed_axes(),
        }
    }

    /// [`unembedding`](Self::unembedding), to be changed.
    pub fn unembedding_mut(&mut self) -> ArrayViewMut2<'_, T> {
        match self.layout.W_U {
            Some(w_u) => self.get_mut(w_u),
            None => self.get_mut(self.layout.W_E).reversed_axes(),
        }
    }

    /// One tensor by its name in TransformerLens's state dicts.
    ///
    /// # Errors
    /// [`Error::UnknownName`] with the names near it.
    pub fn tensor(&self, name: &str) -> Result<ArrayViewD<'_, T>> {
        let named = self.find(name)?;
        Ok(ArrayView::from_shape(named.shape.as_slice(), &self.values[named.range()])
            .expect("a named tensor's range has its shape's size"))
    }

    /// One tensor by its name in TransformerLens's state dicts.
    ///
    /// # Errors
    /// [`Error::UnknownName`] with the names near it.
    pub fn tensor_mut(&mut self, name: &str) -> Result<ArrayViewMutD<'_, T>> {
        let (shape, range) = self.find(name).map(|named| (named.shape.clone(), named.range()))?;
        Ok(ArrayViewMut::from_shape(shape, &mut self.values[range])
            .expect("a named tensor's range has its shape's size"))
    }

    fn find(&self, name: &str) -> Result<&super::Named> {
        let names = self.layout.names();
        names
            .iter()
            .find(|named| named.name == name)
            .ok_or_else(|| Error::unknown("weight", name, names.iter().map(|named| named.name.clone())))
    }

    /// Every tensor with its name, in the layout's order.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, ArrayViewD<'_, T>)> {
        self.layout.names().iter().map(|named| {
            let view = ArrayView::from_shape(named.shape.as_slice(), &self.values[named.range()]);
            (named.name.as_str(), view.expect("a named tensor's range has its shape's size"))
        })
    }

    /// The same numbers in another precision.
    pub fn cast<U: Scalar>(&self) -> Params<U> {
        Params { layout: self.layout.clone(), values: self.values.iter().map(|v| U::of(v.as_f64())).collect() }
    }
}
