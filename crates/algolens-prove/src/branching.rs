//! The choice of the branching variable.

use super::{
    Asks, ClassRows,
    node::Node,
    oracle::{ABSENT, Split},
};

impl Node {
    /// The branching variable: the token, or the position, whose options differ most in their min-marginals, above the `least`
    /// bound.
    pub(super) fn choose_split(&self, rows: &ClassRows, least: f64, marginals: &[[f32; 16]]) -> Option<Split> {
        match rows.asks() {
            Asks::Sorted => self.split_options(rows, least, marginals),
            Asks::Largest { .. } => self.split_tokens(rows, least, marginals),
        }
    }

    fn split_tokens(&self, rows: &ClassRows, least: f64, marginals: &[[f32; 16]]) -> Option<Split> {
        let mut best: Option<(f64, usize, Vec<usize>)> = None;
        let raised_at = |token: usize, position: usize| raised(marginals[token][position], least);
        for position in 0..rows.list_len() {
            let allowed = (0..rows.tokens.len()).filter(|token| self.region.options()[*token] >> position & 1 == 1);
            let allowed: Vec<usize> = allowed.collect();
            let share = 1.0 / allowed.len() as f64;
            let ways = allowed.iter().map(|token| (raised_at(*token, position), share, *token));
            if let Some((gain, first)) = cheapest_first(ways.collect())
                && best.as_ref().is_none_or(|(best, ..)| gain > *best)
            {
                best = Some((gain, position, first));
            }
        }
        let (_, position, first) = best?;
        let mut tokens = vec![0_u8; rows.tokens.len().div_ceil(8)];
        first.into_iter().for_each(|token| tokens[token / 8] |= 1 << (token % 8));
        Some(Split::Tokens { position, tokens: tokens.into() })
    }

    fn split_options(&self, rows: &ClassRows, least: f64, marginals: &[[f32; 16]]) -> Option<Split> {
        let mut best: Option<(f64, Split)> = None;
        let [below, above] = self.share_present(rows);
        for (token, &options) in self.region.options().iter().enumerate() {
            if options.count_ones() < 2 {
                continue;
            }
            let optional = options >> ABSENT & 1 == 1;
            let present = match optional {
                true if token < rows.low => below,
                true => above,
                false => 1.0,
            };
            let positions = f64::from((options & !(1 << ABSENT)).count_ones());
            let allowed = (0..16_u32).filter(|option| options >> option & 1 == 1);
            let ways = allowed.map(|option| {
                let share = if option == ABSENT { 1.0 - present } else { present / positions };
                (raised(marginals[token][option as usize], least), share, option)
            });
            if let Some((gain, first)) = cheapest_first(ways.collect())
                && best.as_ref().is_none_or(|(best, _)| gain > *best)
            {
                let options = first.into_iter().fold(0, |options, option| options | 1 << option);
                best = Some((gain, Split::Options { token, options }));
            }
        }
        best.map(|(_, split)| split)
    }

    /// Estimated shares of the optional tokens up to `d`, and from `y` on, that a list of the region has.
    fn share_present(&self, rows: &ClassRows) -> [f64; 2] {
        let share = |tokens: std::ops::Range<usize>, needed: usize| {
            let options = &self.region.options()[tokens];
            let forced = options.iter().filter(|options| **options >> ABSENT & 1 == 0).count();
            let optional = options.iter().filter(|o| **o >> ABSENT & 1 == 1 && **o != 1 << ABSENT).count();
            (needed.saturating_sub(forced) as f64 / optional.max(1) as f64).min(1.0)
        };
        let (low, position) = (rows.low, rows.class.position);
        [share(0..low, position), share(low..rows.tokens.len(), rows.list_len() - position)]
    }
}

/// By how much an option raises the `least` bound, up to what matters.
fn raised(marginal: f32, least: f64) -> f64 {
    let most = (-3.0 * least).max(0.0);
    (f64::from(marginal) - least).clamp(0.0, most)
}

/// The best cut of ways to take, each what it raises, its share of lists and what it is, between those that raise little and
/// the others: its gain, and the former; none of fewer than two.
fn cheapest_first<W: Copy>(mut ways: Vec<(f64, f64, W)>) -> Option<(f64, Vec<W>)> {
    ways.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut best, mut first_share) = (None::<(f64, usize)>, 0.0);
    for at in 1..ways.len() {
        first_share += ways[at - 1].1;
        let second_share = 1.0 - first_share;
        let gain = ways[at].0 * second_share + 1e-6 * first_share * second_share;
        if best.is_none_or(|(best, _)| gain > best) {
            best = Some((gain, at));
        }
    }
    best.map(|(gain, at)| (gain, ways[..at].iter().map(|way| way.2).collect()))
}
