//! Runs a model on random lists and keeps every activation: `cargo run --release --example run_with_cache -- MODEL LISTS`.

use algolens::{
    Error, HookedTransformer, Result,
    engine::hooks::{BlockPoint, Filter, HookPoint},
    model::checkpoint::Hints,
    task::SortedList,
};

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let path = words.next().unwrap_or_else(|| "models/sorted_list.safetensors".into());
    let lists = words.next().map_or(Ok(500), |word| word.parse());
    let lists = lists.map_err(|error| Error::invalid("lists", "a whole number", error))?;
    let model = HookedTransformer::from_checkpoint(path, &Hints::default())?;
    let data = SortedList::new(10, 50)?.dataset(lists, 43);
    // What TransformerLens keeps where no flag asks for more.
    let on_demand = |name: &str| {
        use BlockPoint::{AttnIn, KInput, MlpIn, QInput, Result, VInput};
        let point: std::result::Result<HookPoint, _> = name.parse();
        !matches!(point, Ok(HookPoint::Block(_, AttnIn | KInput | MlpIn | QInput | Result | VInput)))
    };
    let (logits, cache) = model.run_with_cache(data.tokens(), Filter::Matching(&on_demand))?;
    println!("logits {:?}, and {} activations:", logits.shape(), cache.iter().count());
    for (name, activation) in cache.iter() {
        println!("{name:30} {:?}", activation.shape());
    }
    Ok(())
}
