//! Evidence made by hand: of the post's task, with two heads of which 0.0 copies 28 to 36 and 0.1 all other values.

use super::super::Evidence;
use crate::{
    Circuits, CopyHeadRange, CopyHeads, Head,
    head_costs::HeadCosts,
    tasks::sorted_list::{CloseTriples, PredictionSite, Runs},
};
use algolens_core::task::{SortedList, Token};
use ndarray::{Array2, Array3};

/// Evidence of nothing: no lists, and all weights zero.
pub fn blank() -> Evidence {
    let circuit = || Array3::zeros((2, 52, 52));
    Evidence {
        task: SortedList::POST,
        circuits: Circuits {
            layer: 0,
            W_OV_full: circuit(),
            W_QK_full: circuit(),
            W_QK_pos_query: Array3::zeros((2, 21, 52)),
            W_QK_pos_key: Array3::zeros((2, 52, 21)),
        },
        direct_path: Array2::zeros((52, 52)),
        copy_heads: copied(&[(1, 0, 27), (0, 28, 36), (1, 37, 50)]),
        sites: Vec::new(),
        costs: HeadCosts::default(),
        gaps: Vec::new(),
        repairs: Vec::new(),
        smallest: Vec::new(),
        large: Vec::new(),
        triples: CloseTriples {
            tokens: Array2::zeros((0, 3)),
            dla: Array3::zeros((0, 2, 2)),
            attention: Array2::zeros((0, 2)),
            lists: Vec::new(),
        },
        runs: Runs::default(),
        to_zero: Vec::new(),
    }
}

/// Copying heads by ranges.
pub fn copied(ranges: &[(usize, Token, Token)]) -> CopyHeads {
    let range = |(head, from, to): &(usize, Token, Token)| CopyHeadRange { head: head_of(*head), from: *from, to: *to };
    CopyHeads { ranges: ranges.iter().map(range).collect(), copied: 1.0 }
}

/// A head of the first block.
pub fn head_of(head: usize) -> Head {
    Head { layer: 0, head }
}

/// SEP.
pub const SEP: Token = 51;

/// A site that attends to its target in both heads, and predicts it.
pub fn site(list: usize, d: Token, target: Token) -> PredictionSite {
    PredictionSite {
        list,
        query: if d == SEP { 10 } else { 11 },
        d,
        target,
        second: None,
        top_attended: vec![target; 2],
        top_other: vec![target; 2],
        attention: vec![[0.0; 3]; 2],
        predicted: target,
        probs: [0.0, 1.0],
    }
}

/// So many sites of lists of their own, of which a share is edited.
pub fn sites(
    count: usize,
    [d, target]: [Token; 2],
    share: f64,
    edit: impl Fn(&mut PredictionSite),
) -> Vec<PredictionSite> {
    let mut sites: Vec<PredictionSite> = (0..count).map(|list| site(list, d, target)).collect();
    sites.iter_mut().take((share * count as f64).round() as usize).for_each(edit);
    sites
}
