//! From a state dict of some layout to one of TransformerLens's.

use super::{
    super::{
        container::Tensor,
        hints::Hints,
        settings::Settings,
        state_dict::{StateDict, is_buffer},
    },
    axes::{Axes, Sizes},
    declaration::{Layout, QKV, Rule},
    names::{Numbers, numbers, of_layer},
    targets,
};
use crate::{Error, Result, model::Config};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A state dict in TransformerLens's layout, and the one that it had.
#[derive(Debug)]
pub struct Mapped {
    /// The layout's name.
    pub layout: String,
    /// The tensors, by TransformerLens's names where they are weights.
    pub state_dict: StateDict,
    /// What is usual of models of this layout.
    pub usual: Settings,
    /// How many heads there are, where neither the tensors nor anybody says, but models of the task have so many.
    pub heads_of_task: Option<usize>,
    /// Tensors that the layout knows to be no weights.
    pub buffers: Vec<String>,
    /// How many tensors the layout speaks of.
    pub matched: usize,
}

/// Why a state dict is not of a layout.
pub(super) struct Miss {
    /// How many tensors have names of it.
    pub matched: usize,
    /// Whether only a size is missing, that a user may say.
    pub asks: bool,
    pub error: Error,
}

/// A tensor that a rule speaks of.
struct Claim<'a> {
    rule: &'a Rule,
    axes: &'a Axes,
    numbers: Numbers,
    name: &'a str,
    tensor: &'a Arc<Tensor>,
}

/// The state dict as one of TransformerLens's layout.
pub(super) fn apply(layout: &Layout, state_dict: &StateDict, hints: &Hints) -> Result<Mapped, Miss> {
    let miss = |matched| move |error| Miss { matched, asks: false, error };
    let axes: Vec<Axes> =
        layout.weight.iter().map(|rule| Axes::parse(&rule.axes)).collect::<Result<_>>().map_err(miss(0))?;
    let claims: Vec<Claim> = layout
        .weight
        .iter()
        .zip(&axes)
        .flat_map(|(rule, axes)| {
            let claim = move |(name, tensor)| {
                numbers(&rule.from, name).map(|numbers| Claim { rule, axes, numbers, name, tensor })
            };
            state_dict.tensors().filter_map(claim)
        })
        .collect();
    let matched = claims.len();
    check_complete(layout, &claims).map_err(miss(matched))?;
    let mut sizes = sizes(&claims).map_err(miss(matched))?;
    let mut heads_of_task = None;
    if unknown(&claims, &sizes).is_some() {
        // The layout has the tensors; what is wrong is what was said.
        let wrong = |error| Miss { matched, asks: true, error };
        learn_from(layout, hints, &claims, &mut sizes).map_err(wrong)?;
        heads_of_task = learn_from_task(hints, &claims, &mut sizes).map_err(wrong)?;
        if let Some(unknown) = unknown(&claims, &sizes) {
            return Err(Miss { matched, asks: true, error: question(unknown) });
        }
    }
    let mapped = map(layout, state_dict, &claims, &sizes).map_err(miss(matched))?;
    Ok(Mapped { heads_of_task, ..mapped })
}

/// Whether every layer and head has what it must have.
fn check_complete(layout: &Layout, claims: &[Claim]) -> Result<()> {
    let layers = claims.iter().filter_map(|claim| claim.numbers.layer).max().map_or(0, |last| last.saturating_add(1));
    for rule in layout.weight.iter().filter(|rule| !rule.optional) {
        let own: BTreeSet<Numbers> =
            claims.iter().filter(|claim| std::ptr::eq(claim.rule, rule)).map(|claim| claim.numbers).collect();
        let heads = own.iter().filter_map(|numbers| numbers.head).max().map_or(1, |last| last.saturating_add(1));
        for layer in numbered(&rule.from, "{layer}", layers) {
            // The first that is missing ends it, so that a large number in a name costs nothing.
            let missing = numbered(&rule.from, "{head}", heads).find(|&head| !own.contains(&Numbers { layer, head }));
            if let Some(head) = missing {
                let name = of_layer(&rule.from, layer);
                let name = head.map_or_else(|| name.clone(), |head| name.replace("{head}", &head.to_string()));
                return Err(Error::invalid(name, "a tensor of that name", "none"));
            }
        }
    }
    Ok(())
}

/// The numbers that a place of a pattern stands for; one none where the pattern has no such place.
fn numbered(pattern: &str, place: &str, count: usize) -> impl Iterator<Item = Option<usize>> + use<> {
    let has = pattern.contains(place);
    (0..if has { count } else { 1 }).map(move |number| has.then_some(number))
}

/// The sizes of axes, as far as the tensors tell.
fn sizes(claims: &[Claim]) -> Result<Sizes> {
    let mut sizes = Sizes::from([(QKV.to_owned(), 3)]);
    let heads = claims.iter().filter_map(|claim| claim.numbers.head).max();
    if let Some(last) = heads {
        sizes.insert("head".to_owned(), last.saturating_add(1));
    }
    learn(claims, &mut sizes)?;
    Ok(sizes)
}

/// Learns from every tensor until none says anything new.
fn learn(claims: &[Claim], sizes: &mut Sizes) -> Result<()> {
    loop {
        let mut learnt = false;
        for claim in claims {
            learnt |= claim.axes.learn(claim.name, claim.tensor.shape(), sizes)?;
        }
        if !learnt {
            return Ok(());
        }
    }
}

/// An axis whose size is not known.
fn unknown<'a>(claims: &[Claim<'a>], sizes: &Sizes) -> Option<&'a String> {
    claims.iter().flat_map(|claim| claim.axes.flat()).find(|axis| !sizes.contains_key(*axis))
}

/// What to ask for the size of an axis.
fn question(axis: &str) -> Error {
    match axis {
        "head" | "d_head" => {
            Error::NotDetermined { what: "how many heads there are", key: "n_heads", choices: vec!["a number"] }
        }
        axis => Error::invalid(axis, "an axis whose size the tensors tell", "none of them does"),
    }
}

/// Learns the number and width of heads from what is said of the model.
fn learn_from(layout: &Layout, hints: &Hints, claims: &[Claim], sizes: &mut Sizes) -> Result<()> {
    let usual = layout.usual()?;
    let said = [
        ("head", hints.get("n_heads", |s| s.n_heads)?, usual.n_heads),
        ("d_head", hints.get("d_head", |s| s.d_head)?, usual.d_head),
    ];
    for (axis, said, usual) in said {
        if let Some(size) = said.map(|(size, _)| size).or(usual) {
            sizes.insert(axis.to_owned(), size);
        }
    }
    learn(claims, sizes)
}

/// Learns the number of heads from what models of the task have, where nothing else tells it, and gives it.
fn learn_from_task(hints: &Hints, claims: &[Claim], sizes: &mut Sizes) -> Result<Option<usize>> {
    let [n_ctx, d_vocab, d_vocab_out] = ["n_ctx", "d_vocab", "d_vocab_out"].map(|axis| sizes.get(axis).copied());
    let (Some(n_ctx), Some(d_vocab), Some(d_vocab_out)) = (n_ctx, d_vocab, d_vocab_out) else { return Ok(None) };
    let of_task = hints.task.settings(&Config { n_ctx, d_vocab, d_vocab_out, ..Config::default() });
    let Some(heads) = of_task.n_heads.filter(|_| !sizes.contains_key("head")) else { return Ok(None) };
    sizes.insert("head".to_owned(), heads);
    learn(claims, sizes)?;
    Ok(Some(heads))
}

fn map(layout: &Layout, state_dict: &StateDict, claims: &[Claim], sizes: &Sizes) -> Result<Mapped> {
    let mut mapped: BTreeMap<String, Arc<Tensor>> = BTreeMap::new();
    let mut heads: BTreeMap<String, Vec<(usize, Tensor)>> = BTreeMap::new();
    for claim in claims {
        for (at, target) in claim.rule.to.iter().enumerate() {
            let name = of_layer(target, claim.numbers.layer);
            let tensor = weight(claim, target, at, sizes)?;
            match claim.numbers.head {
                Some(head) => heads.entry(name).or_default().push((head, tensor)),
                None if mapped.insert(name.clone(), Arc::new(tensor)).is_some() => {
                    return Err(Error::invalid(name, "one tensor", "several"));
                }
                None => {}
            }
        }
    }
    for (name, mut parts) in heads {
        parts.sort_by_key(|(head, _)| *head);
        if mapped.contains_key(&name) || parts.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Error::invalid(name, "one tensor", "several"));
        }
        let parts: Vec<&Tensor> = parts.iter().map(|(_, part)| part).collect();
        mapped.insert(
            name.clone(),
            Arc::new(Tensor::stacked(&parts).map_err(|(expected, found)| Error::invalid(name, expected, found))?),
        );
    }
    let claimed: BTreeSet<&str> = claims.iter().map(|claim| claim.name).collect();
    let mut buffers = Vec::new();
    for (name, tensor) in state_dict.tensors().filter(|(name, _)| !claimed.contains(name)) {
        // TransformerLens's own buffers tell of the config.
        if !is_buffer(name) && layout.buffer.iter().any(|pattern| numbers(pattern, name).is_some()) {
            buffers.push(name.to_owned());
        } else if mapped.insert(name.to_owned(), tensor.clone()).is_some() {
            return Err(Error::invalid(name, "one tensor", "several"));
        }
    }
    let state_dict = state_dict.with_tensors(mapped);
    let (layout, usual, matched) = (layout.name.clone(), layout.usual()?, claims.len());
    Ok(Mapped { layout, state_dict, usual, heads_of_task: None, buffers, matched })
}

/// One of the weights that a tensor is or holds, with its axes in their order.
fn weight(claim: &Claim, target: &str, at: usize, sizes: &Sizes) -> Result<Tensor> {
    let unknown = || Error::invalid(target, "a weight that there is", "another name");
    let wanted = Axes::parse(targets::find(target).ok_or_else(unknown)?.axes)?;
    let factors =
        claim.axes.factors(sizes).ok_or_else(|| Error::invalid(claim.name, "axes of known sizes", "others"))?;
    let mut tensor = claim.tensor.factored(&factors);
    let mut axes: Vec<&String> = claim.axes.flat().collect();
    if let Some(qkv) = axes.iter().position(|axis| *axis == QKV) {
        tensor = tensor.at(qkv, at);
        axes.remove(qkv);
    }
    // Heads that stand apart are put together afterwards, as the first axis.
    let wanted: Vec<&String> = wanted.flat().filter(|axis| claim.numbers.head.is_none() || *axis != "head").collect();
    let order: Option<Vec<usize>> = wanted.iter().map(|axis| axes.iter().position(|other| other == axis)).collect();
    match order {
        Some(order) if order.len() == axes.len() => Ok(tensor.permuted(&order)),
        _ => {
            let wanted: Vec<&str> = wanted.iter().map(|axis| axis.as_str()).collect();
            Err(Error::invalid(claim.name, format!("the axes {} of {target}", wanted.join(", ")), claim.axes))
        }
    }
}
