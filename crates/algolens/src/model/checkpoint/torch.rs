//! PyTorch state dicts (`torch.save(model.state_dict(), …)`).

use super::{
    safetensors::floats,
    state_dict::{StateDict, Tensor, Values},
};
use crate::{Error, Result, model::Config};
use pytorch_reader::{DType, PytorchReader};

/// The tensors of a `.pt` file. The pickle is interpreted, never executed: it can name tensors and nothing else.
pub(super) fn read(bytes: Vec<u8>) -> Result<StateDict> {
    let broken = |error: &dyn std::fmt::Display| Error::Checkpoint(format!("as a PyTorch file: {}", one_line(error)));
    let reader = PytorchReader::from_bytes(bytes, None).map_err(|error| broken(&error))?;
    let mut state_dict = StateDict::default();
    let mut elements: usize = 0;
    for (name, tensor) in reader.into_tensors() {
        // A view may claim any size; what it claims is checked before anything of that size is made.
        elements = elements.saturating_add(tensor.num_elements());
        if elements > Config::MOST_PARAMETERS {
            return Err(Error::invalid(name, format!("at most {} numbers in all", Config::MOST_PARAMETERS), elements));
        }
        let bytes = tensor.read().map_err(|error| broken(&error))?;
        let values = match tensor.dtype() {
            DType::F32 => Values::Float(floats(&bytes, f32::from_ne_bytes)),
            DType::F64 => Values::Float(floats(&bytes, |bytes| f64::from_ne_bytes(bytes) as f32)),
            DType::Bool => Values::Bool(bytes.iter().map(|byte| *byte != 0).collect()),
            other => Values::Other(format!("{other:?}")),
        };
        state_dict.insert(name, Tensor { shape: tensor.shape().to_vec(), values });
    }
    Ok(state_dict)
}

fn one_line(message: &dyn std::fmt::Display) -> String {
    message.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
