//! Files that checkpoints are saved as, each read into one tree of inert values.
//!
//! One file a container; [`contents`] tells them apart. Memory is claimed from a budget before it is taken (`limits`), and
//! tensors stay views of the file until their numbers are asked for.

#[cfg(feature = "torch")]
mod archive;
mod bytes;
mod contents;
mod damage;
mod foreign;
mod json;
mod limits;
#[cfg(feature = "torch")]
mod npy;
#[cfg(feature = "torch")]
mod npz;
#[cfg(feature = "torch")]
mod pickle;
#[cfg(feature = "torch")]
mod plain_pickle;
mod safetensors;
#[cfg(feature = "torch")]
mod stream;
mod tensor;
#[cfg(feature = "torch")]
mod torch_zip;
mod value;

pub use bytes::Bytes;
pub use contents::{Container, Contents};
pub use tensor::{Dtype, Tensor};
pub use value::{Dict, List, Object, Value};

pub(super) use limits::{Budget, MOST_TENSORS};
pub(super) use safetensors::write as write_safetensors;
pub(super) use tensor::Order;
pub(super) use value::MODULE_PARTS;
