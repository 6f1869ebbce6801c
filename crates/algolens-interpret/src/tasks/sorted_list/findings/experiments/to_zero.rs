//! Why large values do not attend to 0: what the query's position does to their scores.

use crate::{Subject, scores::token_scores, tasks::sorted_list::families::list_with};
use algolens_core::{
    Result,
    engine::hooks::{BlockPoint, Filter, HookPoint, Hooks},
    random,
    task::{Dataset, SortedList, Token},
};
use ndarray::{Array4, Ix4, s};

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
    let score = scores(subject, &data, &queries, None)?;
    let early = scores(subject, &data, &queries, Some(task.list_len() + 1))?;
    let mut found = Vec::new();
    for (at, drawn) in drawn.chunks(lists).enumerate() {
        for head in 0..subject.model.config().n_heads {
            let mean = |difference: &dyn Fn(usize, usize, [usize; 2]) -> f64| {
                let of = |(list, drawn): (usize, &Drawn)| difference(at * lists + list, drawn.query, drawn.keys);
                drawn.iter().enumerate().map(of).sum::<f64>() / lists as f64
            };
            let whole = |scores: &Array4<f32>| {
                mean(&|list, query, [zero, target]| {
                    f64::from(scores[[list, head, query, zero]] - scores[[list, head, query, target]])
                })
            };
            found.push(ToZero {
                d: drawn[0].d,
                head,
                tokens: mean(&|list, _, [zero, target]| tokens[[list, head, zero]] - tokens[[list, head, target]]),
                score: whole(&score),
                early: whole(&early),
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
        let query = task.list_len() + 1 + list.iter().filter(|value| **value < d).count();
        let at = |value: Token| list.iter().position(|v| *v == value).expect("the list holds 0 and the target");
        Drawn { keys: [at(0), at(target)], d, query, list }
    };
    std::iter::repeat_with(draw).take(lists).collect()
}

/// The first block's scores `[list, head, query, key]`, with the embedding of position `early` at each list's query if there is one.
fn scores(subject: Subject, data: &Dataset, queries: &[usize], early: Option<usize>) -> Result<Array4<f32>> {
    let params = &subject.model.params;
    let w_pos = params.get(params.layout().W_pos);
    let mut hooks = Hooks::new(subject.model.config());
    if let Some(early) = early {
        hooks.add_at(HookPoint::PosEmbed, move |pos_embed| {
            for (list, query) in queries.iter().enumerate() {
                pos_embed.slice_mut(s![list, *query, ..]).assign(&w_pos.row(early));
            }
            Ok(())
        });
    }
    let name = HookPoint::Block(0, BlockPoint::AttnScores).to_string();
    let (_, cache) = subject.engine.run(subject.model, data.tokens(), &mut hooks, Filter::Names(&[&name]))?;
    Ok(cache.get::<Ix4>(&name)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use algolens_core::{
        engine::Plain,
        model::{Config, Model},
        task::Task,
    };

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
                let w_pos = moved.params.layout().W_pos;
                let row = model.params.get(w_pos).row(5).to_owned();
                moved.params.get_mut(w_pos).row_mut(query).assign(&row);
                for (model, sum) in [(&model, &mut score), (&moved, &mut early)] {
                    let scores = scores(Subject { model, ..subject }, &data, &[], None).unwrap();
                    let row = scores.slice(s![0, pair.head, query, ..]);
                    *sum += f64::from(row[zero] - row[target]) / 3.0;
                }
            }
            assert!((score - pair.score).abs() < 1e-5 && (early - pair.early).abs() < 1e-5, "{pair:?}");
        }
    }
}
