//! TransformerLens's own layout, `HookedTransformer.state_dict()`.

use super::{
    declaration::{Layout, config, optional, weight},
    targets,
};

pub(super) fn layout() -> Layout {
    // Every name and its axes are what the others are mapped to.
    let rules = targets::ALL.iter().map(|target| match target.required {
        true => weight(target.name, target.axes, target.name),
        false => optional(target.name, target.axes, target.name),
    });
    // Its layer norms have biases, so that norms without are root-mean-square ones.
    let config = config(&[("normalization_type", "RMS")]);
    Layout { name: "TransformerLens".into(), config, weight: rules.collect(), buffer: Vec::new(), unsaid: None }
}
