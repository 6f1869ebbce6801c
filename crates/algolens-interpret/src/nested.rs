//! Serialization of arrays as nested lists, as NumPy reads them.

use ndarray::{ArrayBase, ArrayViewD, Data, Dimension};
use serde::{Serialize, Serializer};

/// Serializes an array as nested lists, for `#[serde(serialize_with = "…")]`.
///
/// # Errors
/// Those of the serializer.
pub fn nested<A, S, D, Z>(array: &ArrayBase<S, D>, serializer: Z) -> Result<Z::Ok, Z::Error>
where
    A: Serialize,
    S: Data<Elem = A>,
    D: Dimension,
    Z: Serializer,
{
    Nested(array.view().into_dyn()).serialize(serializer)
}

/// An array that serializes as nested lists.
struct Nested<'a, A>(ArrayViewD<'a, A>);

impl<A: Serialize> Serialize for Nested<'_, A> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        match self.0.first() {
            Some(value) if self.0.ndim() == 0 => value.serialize(serializer),
            _ => serializer.collect_seq(self.0.outer_iter().map(Nested)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn arrays_become_lists_of_lists() {
        #[derive(Serialize)]
        struct Wrapper<T: Serialize>(#[serde(serialize_with = "nested")] Array2<T>);
        let json = |array| serde_json::to_string(&Wrapper(array)).unwrap();
        assert_eq!(json(array![[1.0, f64::NAN], [2.5, 3.0]]), "[[1.0,null],[2.5,3.0]]");
        assert_eq!(json(Array2::zeros((2, 0))), "[[],[]]");
    }
}
