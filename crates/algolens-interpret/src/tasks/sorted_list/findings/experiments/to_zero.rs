//! Why large values do not attend to 0: what the query's position does to their scores.

use crate::{
    Intervention, Replacement, Runner, Subject, scores::token_scores, tasks::sorted_list::families::list_with,
};
use algolens_core::{
    Result,
    engine::hooks::{BlockPoint, Cache, Filter, HookPoint},
    random,
    task::{Dataset, SortedList, Token},
};
use ndarray::{Array2, ArrayView4, ArrayViewMut2, Ix3, s};

/// The score of 0 less that of the target, at a large value in one head of the first block: means over random lists.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToZero {
    /// The large value.
    pub d: Token,
    /// Index of the head.
    pub head: usize,
    /// The term of the two tokens alone.
    pub tokens: f64,
    /// The whole score.
    pub score: f64,
    /// The whole score with the first position of the sorted half in the query's place.
    pub early: f64,
}

/// Value (of 50) above which the post calls values very high.
pub const LARGE: f64 = 35.0;

/// One list that holds 0, a large value and a larger one.
struct Drawn {
    list: Vec<Token>,
    d: Token,
    /// The position of d in the sorted half.
    query: usize,
    /// The positions of 0 and of the target in the unsorted half.
    keys: [usize; 2],
}

/// The experiment [`ToZero`] for every value d above [`LARGE`] but the largest, in every head: over so many random `lists` of each d.
/// Nothing where lists are shorter than three values.
pub fn to_zero(subject: Subject, task: &SortedList, lists: usize, seed: u32) -> Result<Vec<ToZero>> {
    let max = task.max_value();
    let from = (LARGE / 50.0 * f64::from(max)).floor() as Token + 1;
    if task.list_len() < 3 || lists == 0 || from >= max {
        return Ok(Vec::new());
    }
    let drawn: Vec<Drawn> = (from..max).flat_map(|d| draw(task, d, lists, seed)).collect();
    let data = Dataset::from_inputs(task, &drawn.iter().map(|drawn| drawn.list.as_slice()).collect::<Vec<_>>())?;
    let queries: Vec<usize> = drawn.iter().map(|drawn| drawn.query).collect();
    let tokens = token_scores(subject, data.tokens(), &queries)?;
    let [score, early] = zero_margins(subject, &data, &drawn, task.first_query() + 1)?;
    let mut found = Vec::new();
    for (at, of_d) in drawn.chunks(lists).enumerate() {
        for head in 0..subject.model.config().n_heads {
            let mean = |difference: &dyn Fn(usize) -> f64| {
                (0..lists).map(|list| difference(at * lists + list)).sum::<f64>() / lists as f64
            };
            let token_margin = |list: usize| {
                let [zero, target] = drawn[list].keys.map(|key| tokens[[list, head, key]]);
                zero - target
            };
            found.push(ToZero {
                d: of_d[0].d,
                head,
                tokens: mean(&token_margin),
                score: mean(&|list| score[[list, head]]),
                early: mean(&|list| early[[list, head]]),
            });
        }
    }
    Ok(found)
}

/// Random lists with 0, d and a larger value.
fn draw(task: &SortedList, d: Token, lists: usize, seed: u32) -> Vec<Drawn> {
    let max = task.max_value();
    let mut rng = random::stream(seed.into(), &format!("lists with 0, {d} and a larger value"));
    let draw = || {
        let larger = d + 1 + random::below(&mut rng, max - d);
        let list = list_with(&[0, d, larger], (1..=max).filter(|value| ![d, larger].contains(value)), task, &mut rng);
        let target = list.iter().copied().filter(|value| *value > d).min().expect("one was put in");
        let query = task.first_query() + 1 + list.iter().filter(|value| **value < d).count();
        let at = |value: Token| list.iter().position(|v| *v == value).expect("the list holds 0 and the target");
        Drawn { keys: [at(0), at(target)], d, query, list }
    };
    std::iter::repeat_with(draw).take(lists).collect()
}

/// The score of 0 less that of the target in the first block, `[list, head]`: as it is, and with the embedding of position `early`
/// at each list's query.
fn zero_margins(subject: Subject, data: &Dataset, drawn: &[Drawn], early: usize) -> Result<[Array2<f64>; 2]> {
    let params = &subject.model.params;
    let config = subject.model.config();
    let w_pos = params.get_or_zeros(params.layout().W_pos, [config.n_ctx, config.d_model]);
    let scores_at = HookPoint::Block(0, BlockPoint::AttnScores);
    let [scores_name, pos_embed_name] = [scores_at, HookPoint::PosEmbed].map(|point| point.to_string());
    let shape = (drawn.len(), subject.model.config().n_heads);
    let [mut as_is, mut moved] = [0; 2].map(|_| Array2::zeros(shape));
    let runner = Runner::new(subject);
    runner.run(data.tokens(), &[], &[], Filter::Names(&[&scores_name, &pos_embed_name]), |chunk| {
        let drawn = &drawn[chunk.examples.clone()];
        let mut pos_embed = chunk.cache.get::<Ix3>(&pos_embed_name)?.to_owned();
        for (mut pos_embed, drawn) in pos_embed.outer_iter_mut().zip(drawn) {
            pos_embed.row_mut(drawn.query).assign(&w_pos.row(early));
        }
        let mut cache = Cache::default();
        cache.insert(HookPoint::PosEmbed, pos_embed.into_dyn());
        let from = chunk.examples.start;
        margins(chunk.cache.get(&scores_name)?, drawn, as_is.slice_mut(s![from.., ..]));
        let replaced = [Intervention::new(HookPoint::PosEmbed, Replacement::From(&cache))];
        runner.run(chunk.of(data).tokens(), &[], &replaced, Filter::Names(&[&scores_name]), |chunk| {
            let (first, drawn) = (from + chunk.examples.start, &drawn[chunk.examples]);
            margins(chunk.cache.get(&scores_name)?, drawn, moved.slice_mut(s![first.., ..]));
            Ok(())
        })
    })?;
    Ok([as_is, moved])
}

/// The score of 0 less that of the target, `[list, head]`, of scores `[list, head, query, key]`.
fn margins(scores: ArrayView4<f32>, drawn: &[Drawn], mut margins: ArrayViewMut2<f64>) {
    for ((scores, Drawn { query, keys, .. }), mut margins) in
        scores.outer_iter().zip(drawn).zip(margins.outer_iter_mut())
    {
        for (head, margin) in margins.iter_mut().enumerate() {
            let [zero, target] = keys.map(|key| scores[[head, *query, key]]);
            *margin = f64::from(zero - target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use algolens_core::{
        engine::{Engine, Plain},
        model::{Config, Model},
        task::Task,
    };
    use ndarray::Ix4;

    /// With the early position's embedding at the query in the weights themselves, the scores of the unsorted half are the same.
    #[test]
    fn an_early_position_is_that_of_a_model_that_has_it_there() {
        let task = SortedList::new(4, 9).unwrap();
        let config = Config { n_ctx: task.n_ctx(), d_vocab: 11, d_vocab_out: 11, ..Config::default() };
        let model = Model::init(config, 4).unwrap();
        let subject = Subject { model: &model, engine: &Plain::new() };
        let found = to_zero(subject, &task, 3, 1).unwrap();
        assert_eq!(found.iter().map(|pair| (pair.d, pair.head)).collect::<Vec<_>>(), [(7, 0), (7, 1), (8, 0), (8, 1)]);
        for pair in found {
            let (mut score, mut early) = (0.0, 0.0);
            for Drawn { list, query, keys: [zero, target], d } in draw(&task, pair.d, 3, 1) {
                let data = Dataset::from_inputs(&task, &[&list]).unwrap();
                assert_eq!((data.tokens()[[0, query]], data.tokens()[[0, zero]]), (d, 0));
                assert_eq!(data.tokens()[[0, target]], data.tokens()[[0, query + 1]]);
                let mut moved = model.clone();
                let w_pos = moved.params.layout().W_pos.unwrap();
                let row = model.params.get(w_pos).row(5).to_owned();
                moved.params.get_mut(w_pos).row_mut(query).assign(&row);
                for (model, sum) in [(&model, &mut score), (&moved, &mut early)] {
                    const NAME: &str = "blocks.0.attn.hook_attn_scores";
                    let (_, cache) = Plain::new().run_with_cache(model, data.tokens(), Filter::Names(&[NAME])).unwrap();
                    let scores = cache.get::<Ix4>(NAME).unwrap();
                    let row = scores.slice(s![0, pair.head, query, ..]);
                    *sum += f64::from(row[zero] - row[target]) / 3.0;
                }
            }
            assert!((score - pair.score).abs() < 1e-5 && (early - pair.early).abs() < 1e-5, "{pair:?}");
        }
    }
}
