//! How fast the engine's kernels and backends are: `cargo bench -p algolens-core`.
//!
//! Kernels have the sizes that the post's model gives them: a list's 10 queries and 20 keys, rows of 160 numbers (96 of the
//! residual stream and 52 logits, padded). Forms take training steps on 512 lists.

use algolens_core::dispatch;
use algolens_core::{
    engine::{
        Backend, Batch, Vectors, matmul,
        products::{Rows, RowsMut, Weights, dot_products, weighted_sums},
        softmax, vector,
    },
    model::{Model, Params},
    task::SortedList,
    train::Architecture,
};
use divan::{Bencher, counter::ItemsCount};
use ndarray::Array2;
use std::iter::once;

const QUERIES: usize = 10;
const KEYS: usize = 20;
const WIDTH: usize = 160;
const LISTS: usize = 512;

fn main() {
    divan::main();
}

/// The vector levels of this machine.
fn levels() -> Vec<&'static str> {
    Vectors::available().iter().map(Vectors::name).collect()
}

fn level(name: &str) -> Vectors {
    Vectors::named(name).expect("the machine has it")
}

/// What 10 queries attend to: 32 000 products and sums.
#[divan::bench(args = levels())]
fn weighted_sums_of_a_head(bencher: Bencher, name: &str) {
    let vectors = level(name);
    let (weights, rows) = (vector::numbers(QUERIES * 32, 0.5), vector::numbers(KEYS * WIDTH, 0.25));
    let mut out = vector::numbers(QUERIES * WIDTH, 0.0);
    bencher.counter(ItemsCount::new(QUERIES * KEYS * WIDTH)).bench_local(|| {
        let mut out = RowsMut { data: &mut out, stride: WIDTH };
        let weights = Weights::Straight(Rows { data: &weights, stride: 32 });
        let rows = Rows { data: &rows, stride: WIDTH };
        dispatch!(vectors, simd => weighted_sums(simd, &mut out, 0..QUERIES, 0..WIDTH, once((weights, rows)), 0..KEYS));
    });
}

/// How 10 queries' rows lie to 20 keys': 32 000 products and sums.
#[divan::bench(args = levels())]
fn dot_products_of_a_head(bencher: Bencher, name: &str) {
    let vectors = level(name);
    let (a, b) = (vector::numbers(QUERIES * WIDTH, 0.5), vector::numbers(KEYS * WIDTH, 0.25));
    let mut out = vector::numbers(QUERIES * 32, 0.0);
    bencher.counter(ItemsCount::new(QUERIES * KEYS * WIDTH)).bench_local(|| {
        let mut out = RowsMut { data: &mut out, stride: 32 };
        let [a, b] = [&a, &b].map(|data| Rows { data, stride: WIDTH });
        dispatch!(vectors, simd => dot_products(simd, &mut out, a, 0..QUERIES, b, KEYS, WIDTH));
    });
}

/// The pattern of one query.
#[divan::bench(args = levels())]
fn pattern_of_a_query(bencher: Bencher, name: &str) {
    let vectors = level(name);
    let mut scores = vector::numbers(32, 0.5);
    bencher.bench_local(|| dispatch!(vectors, simd => softmax::pattern(simd, &mut scores, KEYS)));
}

/// A chunk of 16 lists times a square matrix of weights, by `gemm`.
#[divan::bench]
fn large_product(bencher: Bencher) {
    let (a, b) = (Array2::from_elem((16 * KEYS, 96), 0.5_f32), Array2::from_elem((96, 96), 0.25));
    let mut c = Array2::zeros((16 * KEYS, 96));
    bencher.counter(ItemsCount::new(16 * KEYS * 96 * 96)).bench_local(|| matmul::set(c.view_mut(), a.view(), b.view()));
}

/// Each backend at each level.
fn backends() -> Vec<(Backend, &'static str)> {
    Backend::ALL.into_iter().flat_map(|backend| levels().into_iter().map(move |level| (backend, level))).collect()
}

fn post() -> Model {
    let config = Architecture::default().config(&SortedList::POST);
    Model::init(config, 0).expect("a valid config")
}

/// The post's model: loss and gradients of 512 lists.
#[divan::bench(args = backends(), sample_count = 20)]
fn step(bencher: Bencher, (backend, name): (Backend, &str)) {
    let (model, data) = (post(), SortedList::POST.dataset(LISTS, 1));
    let mut gradients = Params::like(model.params.layout().clone());
    let engine = backend.engine(level(name));
    bencher.counter(ItemsCount::new(LISTS)).bench_local(|| {
        engine.loss_and_gradients(&model, Batch::from(&data), &mut gradients).expect("lists of the task")
    });
}

/// The post's model: predictions of 512 lists.
#[divan::bench(args = backends(), sample_count = 20)]
fn forward(bencher: Bencher, (backend, name): (Backend, &str)) {
    let (model, data) = (post(), SortedList::POST.dataset(LISTS, 1));
    let engine = backend.engine(level(name));
    bencher
        .counter(ItemsCount::new(LISTS))
        .bench_local(|| engine.outcomes(&model, Batch::from(&data)).expect("lists of the task"));
}
