//! Tensors as files hold them: a view of bytes.

use super::{bytes::Bytes, limits::MOST_DIMENSIONS};
use crate::Scalar;
use std::{borrow::Cow, fmt, ops::Range};

/// A tensor of a file: numbers of one type at places of a shared memory. They are made numbers when they are asked for.
#[derive(Clone)]
pub struct Tensor {
    storage: Storage,
    /// Elements before the first.
    offset: usize,
    shape: Vec<usize>,
    /// Elements from one index to the next, by dimension.
    strides: Vec<usize>,
}

/// The memory that tensors are views of: numbers of one type.
#[derive(Clone, Debug)]
pub(in super::super) struct Storage {
    pub bytes: Bytes,
    pub dtype: Dtype,
    pub order: Order,
}

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Order {
    Little,
    Big,
}

macro_rules! dtypes {
    ($($(#[$doc:meta])* $name:ident $text:literal $size:literal,)*) => {
        /// The type of a tensor's numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "their names say it")]
        pub enum Dtype {
            $($(#[$doc])* $name,)*
        }

        impl Dtype {
            /// The name that PyTorch has for the type.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The bytes of a number.
            pub fn size(self) -> usize {
                match self { $(Self::$name => $size,)* }
            }

            /// The type that PyTorch calls by this name.
            #[cfg(feature = "torch")]
            pub(in super::super) fn named(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

dtypes! {
    Bool "bool" 1,
    Int8 "int8" 1,
    Int16 "int16" 2,
    Int32 "int32" 4,
    Int64 "int64" 8,
    UInt8 "uint8" 1,
    UInt16 "uint16" 2,
    UInt32 "uint32" 4,
    UInt64 "uint64" 8,
    Float16 "float16" 2,
    BFloat16 "bfloat16" 2,
    Float32 "float32" 4,
    Float64 "float64" 8,
    Complex64 "complex64" 8,
    Complex128 "complex128" 16,
    /// Any of the types of 8 bits.
    Float8 "float8" 1,
}

impl Dtype {
    /// Whether a weight may be of this type.
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::BFloat16 | Self::Float32 | Self::Float64)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Storage {
    /// Numbers of one type, as this machine's kind has them.
    pub fn new(bytes: Bytes, dtype: Dtype) -> Self {
        Self { bytes, dtype, order: Order::Little }
    }
}

/// The strides of an array without gaps, its last dimension (or its first) next to each other. They fit where the number
/// of elements does.
pub(in super::super) fn strides_of(shape: &[usize], first_is_closest: bool) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    let mut step = 1_usize;
    for at in 0..shape.len() {
        let axis = if first_is_closest { at } else { shape.len() - 1 - at };
        strides[axis] = step;
        step = step.saturating_mul(shape[axis].max(1));
    }
    strides
}

/// The number of elements of a shape; none where it is beyond counting, be it but for a zero among the sizes.
fn elements_of(shape: &[usize]) -> Option<usize> {
    let product =
        shape.iter().filter(|size| **size > 0).try_fold(1_usize, |product, size| product.checked_mul(*size))?;
    Some(if shape.contains(&0) { 0 } else { product })
}

impl Tensor {
    /// A view of a storage.
    ///
    /// # Errors
    /// What is wrong with it: what was expected, and what was found.
    pub(in super::super) fn new(
        storage: Storage,
        offset: usize,
        shape: Vec<usize>,
        strides: Vec<usize>,
    ) -> Result<Self, (String, String)> {
        if shape.len() != strides.len() {
            return Err(("a stride for every dimension".into(), format!("shape {shape:?}, strides {strides:?}")));
        }
        if shape.len() > MOST_DIMENSIONS {
            return Err((format!("at most {MOST_DIMENSIONS} dimensions"), shape.len().to_string()));
        }
        let held = storage.bytes.len() / storage.dtype.size();
        let beyond = || {
            (format!("a view of its storage's {held} numbers"), {
                format!("shape {shape:?} with strides {strides:?} from number {offset}")
            })
        };
        let elements = elements_of(&shape).ok_or_else(beyond)?;
        if elements.checked_mul(storage.dtype.size()).is_none() {
            return Err(beyond());
        }
        let last = shape
            .iter()
            .zip(&strides)
            .try_fold(offset, |last, (size, stride)| last.checked_add(size.saturating_sub(1).checked_mul(*stride)?));
        if elements > 0 && last.is_none_or(|last| last >= held) {
            return Err(beyond());
        }
        Ok(Self { storage, offset, shape, strides })
    }

    /// Numbers without gaps.
    pub(in super::super) fn dense(storage: Storage, shape: Vec<usize>) -> Result<Self, (String, String)> {
        let strides = strides_of(&shape, false);
        Self::new(storage, 0, shape, strides)
    }

    /// The same elements, each dimension parted into several of these sizes, whose product is its own.
    pub(in super::super) fn factored(&self, factors: &[Vec<usize>]) -> Self {
        let parts = factors.iter().zip(&self.strides).flat_map(|(sizes, stride)| {
            let inner = strides_of(sizes, false);
            sizes
                .iter()
                .copied()
                .zip(inner.into_iter().map(move |step| step.saturating_mul(*stride)))
                .collect::<Vec<_>>()
        });
        let (shape, strides) = parts.unzip();
        Self { shape, strides, ..self.clone() }
    }

    /// The same elements, with the dimensions in another order.
    pub(in super::super) fn permuted(&self, order: &[usize]) -> Self {
        let of = |values: &[usize]| order.iter().map(|at| values[*at]).collect();
        Self { shape: of(&self.shape), strides: of(&self.strides), ..self.clone() }
    }

    /// The elements at one index of a dimension.
    pub(in super::super) fn at(&self, dimension: usize, index: usize) -> Self {
        let mut part = self.clone();
        // Without elements, a tensor may have any strides.
        part.offset = part.offset.saturating_add(index.saturating_mul(part.strides[dimension]));
        part.shape.remove(dimension);
        part.strides.remove(dimension);
        part
    }

    /// Tensors of one shape and type one after another, as the first dimension of a new one.
    ///
    /// # Errors
    /// Tensors that are not of one shape and type.
    pub(in super::super) fn stacked(parts: &[&Self]) -> Result<Self, (String, String)> {
        let Some(first) = parts.first() else { return Err(("a tensor".into(), "none".into())) };
        let alike = |other: &&Self| {
            (other.shape(), other.dtype(), other.order()) == (first.shape(), first.dtype(), first.order())
        };
        if let Some(other) = parts.iter().copied().find(|part| !alike(part)) {
            let say = |tensor: &Self| format!("shape {:?} of {}", tensor.shape(), tensor.dtype());
            return Err((say(first), say(other)));
        }
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.bytes().into_owned()).collect();
        let storage = Storage { bytes: Bytes::from(bytes), ..first.storage.clone() };
        Self::dense(storage, [&[parts.len()], first.shape()].concat())
    }

    /// The sizes of its dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The type of its numbers.
    pub fn dtype(&self) -> Dtype {
        self.storage.dtype
    }

    /// The number of its elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of all its elements.
    pub(in super::super) fn byte_len(&self) -> usize {
        self.len() * self.dtype().size()
    }

    /// Its numbers, row-major, if they are of a type that a weight may have: each the nearest there is in `T`.
    pub fn floats<T: Scalar>(&self) -> Option<Vec<T>> {
        Some(match self.dtype() {
            Dtype::Float16 => self.decode(|bytes| T::of(half_to_f32(u16::from_le_bytes(bytes)).into())),
            Dtype::BFloat16 => {
                self.decode(|bytes| T::of(f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16).into()))
            }
            Dtype::Float32 => self.decode(|bytes| T::of(f32::from_le_bytes(bytes).into())),
            Dtype::Float64 => self.decode(|bytes| T::of(f64::from_le_bytes(bytes))),
            _ => return None,
        })
    }

    /// Its truth values, row-major, if that is what it has.
    pub fn bools(&self) -> Option<Vec<bool>> {
        (self.dtype() == Dtype::Bool).then(|| self.decode(|[byte]| byte != 0))
    }

    /// Whether each of its numbers is another than zero, row-major.
    pub(in super::super) fn truths(&self) -> Vec<bool> {
        match self.floats::<f32>() {
            Some(floats) => floats.iter().map(|number| *number != 0.0).collect(),
            None => {
                self.bytes().chunks(self.dtype().size()).map(|number| number.iter().any(|byte| *byte != 0)).collect()
            }
        }
    }

    /// Its whole numbers, row-major, if they are whole by their type.
    pub fn integers(&self) -> Option<Vec<i128>> {
        Some(match self.dtype() {
            Dtype::Int8 => self.decode(|bytes| i8::from_le_bytes(bytes).into()),
            Dtype::Int16 => self.decode(|bytes| i16::from_le_bytes(bytes).into()),
            Dtype::Int32 => self.decode(|bytes| i32::from_le_bytes(bytes).into()),
            Dtype::Int64 => self.decode(|bytes| i64::from_le_bytes(bytes).into()),
            Dtype::UInt8 => self.decode(|bytes| u8::from_le_bytes(bytes).into()),
            Dtype::UInt16 => self.decode(|bytes| u16::from_le_bytes(bytes).into()),
            Dtype::UInt32 => self.decode(|bytes| u32::from_le_bytes(bytes).into()),
            Dtype::UInt64 => self.decode(|bytes| u64::from_le_bytes(bytes).into()),
            _ => return None,
        })
    }

    /// Its elements, row-major, as the file has them.
    pub(in super::super) fn bytes(&self) -> Cow<'_, [u8]> {
        let size = self.dtype().size();
        if self.is_empty() {
            return Cow::Borrowed(&[]);
        }
        let dense = strides_of(&self.shape, false);
        let is_dense = (0..self.shape.len()).all(|axis| self.shape[axis] == 1 || self.strides[axis] == dense[axis]);
        if is_dense {
            return Cow::Borrowed(&self.storage.bytes[self.offset * size..(self.offset + self.len()) * size]);
        }
        let mut gathered = Vec::with_capacity(self.byte_len());
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        for _ in 0..self.len() {
            gathered.extend_from_slice(&self.storage.bytes[at * size..(at + 1) * size]);
            for axis in (0..index.len()).rev() {
                // A dimension of size 1 may have any stride, and comes back to where it was.
                index[axis] += 1;
                at = at.wrapping_add(self.strides[axis]);
                if index[axis] < self.shape[axis] {
                    break;
                }
                at = at.wrapping_sub(self.strides[axis].wrapping_mul(self.shape[axis]));
                index[axis] = 0;
            }
        }
        Cow::Owned(gathered)
    }

    /// Whether the bytes of its numbers stand the other way round than another's.
    pub(in super::super) fn order(&self) -> Order {
        self.storage.order
    }

    /// Where it stands: the memory, and the bytes from its first element to its last.
    pub(in super::super) fn place(&self) -> (usize, Range<usize>) {
        if self.is_empty() {
            return self.storage.bytes.place(0..0);
        }
        let size = self.dtype().size();
        let last: usize = self.shape.iter().zip(&self.strides).map(|(size, stride)| (size - 1) * stride).sum();
        self.storage.bytes.place(self.offset * size..(self.offset + last + 1) * size)
    }

    fn decode<const N: usize, V>(&self, number: impl Fn([u8; N]) -> V) -> Vec<V> {
        let in_order = |mut bytes: [u8; N]| {
            if self.storage.order == Order::Big {
                bytes.reverse();
            }
            number(bytes)
        };
        self.bytes().as_chunks().0.iter().map(|bytes| in_order(*bytes)).collect()
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{} {:?}", self.dtype(), self.shape)
    }
}

/// The number that a half-precision float is.
fn half_to_f32(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 15), u32::from(bits >> 10 & 0x1f), u32::from(bits & 0x3ff));
    let size = match (exponent, fraction) {
        // 2⁻²⁴ for each unit of the fraction.
        (0, _) => fraction as f32 / 16_777_216.0,
        (0x1f, _) => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    f32::from_bits(size.to_bits() | sign << 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_is_the_number_that_ieee_754_says() {
        for bits in 0..=u16::MAX {
            let (sign, exponent, fraction) = (bits >> 15, i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
            let size = match exponent {
                0 => fraction / 1024.0 * 2.0_f64.powi(-14),
                31 if fraction == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                _ => (1.0 + fraction / 1024.0) * 2.0_f64.powi(exponent - 15),
            };
            let expected = if sign == 1 { -size } else { size };
            let found = f64::from(half_to_f32(bits));
            assert!(found == expected || found.is_nan() && expected.is_nan(), "{bits:#06x}: {found}, not {expected}");
            assert!(found.is_nan() || found.is_sign_negative() == (sign == 1), "{bits:#06x}");
        }
    }
}
