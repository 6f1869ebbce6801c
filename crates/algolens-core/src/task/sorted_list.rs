//! Sorting a list of distinct numbers, as the post has it.

use super::{
    Dataset, Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{and, check_example, check_length, numbers},
};
use crate::{
    Error, Result,
    model::Config,
    random::{self, Twister},
};

/// A list of distinct values, a separator, and the same values in ascending order: `7 5 12 3 SEP 3 5 7 12`.
///
/// The values are `0..=max_value` and `SEP` is the token after them. Positions `list_len..2·list_len` are predicted:
/// `SEP` predicts the smallest value, each sorted value the next. Behind `BOS`, where that is asked for, all stands one
/// position later; `BOS` is the token after the values, and `SEP` the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedList {
    list_len: usize,
    max_value: u32,
    bos: bool,
}

impl SortedList {
    /// The largest `list_len` and `max_value` taken.
    const LARGEST: u32 = 4096;

    /// The post's task.
    pub const POST: Self = Self { list_len: 10, max_value: 50, bos: false };

    /// Lists of `list_len` distinct values from `0..=max_value`.
    ///
    /// # Errors
    /// Sizes for which there is no such list, or that no toy model has (above 4096).
    pub fn new(list_len: usize, max_value: u32) -> Result<Self> {
        if max_value > Self::LARGEST {
            return Err(Error::invalid("max_value", format!("at most {}", Self::LARGEST), max_value));
        }
        if list_len == 0 || list_len > max_value as usize + 1 {
            let expected = format!("1 to {} distinct values (max_value is {max_value})", max_value as usize + 1);
            return Err(Error::invalid("list_len", expected, list_len));
        }
        Ok(Self { list_len, max_value, bos: false })
    }

    /// The task with `BOS` before each list, or without it.
    pub fn with_bos(self, bos: bool) -> Self {
        Self { bos, ..self }
    }

    /// Whether `BOS` stands before each list.
    pub fn bos(&self) -> bool {
        self.bos
    }

    /// The position of `SEP`, the first that is predicted at.
    pub fn first_query(&self) -> usize {
        self.list_len + usize::from(self.bos)
    }

    /// Values in a list.
    pub fn list_len(&self) -> usize {
        self.list_len
    }

    /// The largest value.
    pub fn max_value(&self) -> u32 {
        self.max_value
    }

    /// The separator's token.
    pub fn sep(&self) -> Token {
        self.max_value + 1 + Token::from(self.bos)
    }

    /// The post's `SortedListDataset(size, list_len, max_value, seed)`, bit for bit.
    pub fn dataset(&self, size: usize, seed: u32) -> Dataset {
        let data = Dataset::generate(self, size, &mut random::from_dataset_seed(seed));
        data.expect("every list has one right class at each predicted position")
    }

    /// Whether `list` is one of the task's unsorted lists.
    ///
    /// # Errors
    /// The first thing wrong with it: its length, a value out of range, a duplicate.
    pub fn check_list(&self, list: &[Token]) -> Result<()> {
        if list.len() != self.list_len {
            return Err(Error::invalid("list", format!("{} values", self.list_len), list.len()));
        }
        for (at, &value) in list.iter().enumerate() {
            if value > self.max_value {
                let expected = format!("at most {}", self.max_value);
                return Err(Error::invalid(format!("value {} of the list", at + 1), expected, value));
            }
            if list[..at].contains(&value) {
                return Err(Error::invalid("list", "distinct values", format!("{value} twice")));
            }
        }
        Ok(())
    }

    /// The unsorted list of a whole example.
    pub fn list<'a>(&self, example: &'a [Token]) -> &'a [Token] {
        &example[usize::from(self.bos)..self.first_query()]
    }

    /// Writes all but the list into an example.
    fn write_rest(&self, example: &mut [Token]) {
        if self.bos {
            example[0] = self.max_value + 1;
        }
        let (list, rest) = example[usize::from(self.bos)..].split_at_mut(self.list_len);
        rest[0] = self.sep();
        rest[1..].copy_from_slice(list);
        rest[1..].sort_unstable();
    }
}

impl Task for SortedList {
    fn spec(&self) -> TaskSpec {
        let spec = TaskSpec::new(Self::NAME).with("list_len", self.list_len).with("max_value", self.max_value);
        if self.bos { spec.with("bos", true) } else { spec }
    }

    fn n_ctx(&self) -> usize {
        self.first_query() + self.list_len + 1
    }

    fn token_labels(&self) -> Vec<String> {
        and(numbers(self.max_value + 1), if self.bos { &["BOS", "SEP"] } else { &["SEP"] })
    }

    fn roles(&self) -> Vec<Role> {
        let half = |role| std::iter::repeat_n(role, self.list_len);
        let before = self.bos.then_some(Role::Separator);
        before.into_iter().chain(half(Role::Input)).chain([Role::Separator]).chain(half(Role::Answer)).collect()
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (self.first_query()..self.first_query() + self.list_len).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        example[self.first_query() + 1..].to_vec().into()
    }

    /// Every order of every choice of values.
    fn inputs(&self) -> Option<Inputs<'_>> {
        Inputs::arrangements(self.list_len, self.max_value + 1)
    }

    /// The first `list_len` indices of the ascending argsort of `max_value + 1` uniforms; equal uniforms keep index
    /// order.
    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let mut uniforms: Vec<(f32, Token)> = (0..=self.max_value).map(|v| (random::uniform24(rng), v)).collect();
        let order = |a: &(f32, Token), b: &(f32, Token)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        uniforms.select_nth_unstable_by(self.list_len - 1, order);
        uniforms[..self.list_len].sort_unstable_by(order);
        for (slot, (_, value)) in example[usize::from(self.bos)..].iter_mut().zip(&uniforms[..self.list_len]) {
            *slot = *value;
        }
        self.write_rest(example);
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_length(example, self.n_ctx())?;
        check_example(example, &self.complete(self.list(example))?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        self.check_list(input)?;
        let mut example = vec![0; self.n_ctx()];
        example[usize::from(self.bos)..self.first_query()].copy_from_slice(input);
        self.write_rest(&mut example);
        Ok(example)
    }
}

impl TaskKind for SortedList {
    const NAME: &'static str = "sorted_list";
    const ABOUT: &'static str = "the values of a list in ascending order";

    fn from_options(options: &mut Options) -> Result<Self> {
        let Self { list_len, max_value, bos } = Self::POST;
        let task = Self::new(options.take("list_len", list_len)?, options.take("max_value", max_value)?)?;
        Ok(task.with_bos(options.take("bos", bos)?))
    }

    /// The context is odd, for two values or more, and there is one token more than there are values; with `BOS` only the
    /// published size.
    fn fitting(config: &Config) -> Option<Self> {
        let Config { n_ctx, d_vocab, d_vocab_out, .. } = *config;
        if (n_ctx, d_vocab, d_vocab_out) == (12, 66, 66) {
            return Some(Self::new(5, 63).ok()?.with_bos(true));
        }
        let list_len = n_ctx.checked_sub(1).filter(|n| n % 2 == 0 && *n > 2)? / 2;
        Self::new(list_len, u32::try_from(d_vocab.checked_sub(2)?).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The row the post prints; see the reference README for how it is drawn.
    #[test]
    fn seed_42_gives_the_row_the_post_prints() {
        let data = SortedList::new(5, 10).unwrap().dataset(1, 42);
        assert_eq!(data.tokens().row(0).to_vec(), [9, 6, 2, 4, 5, 11, 2, 4, 5, 6, 9]);
        assert_eq!(data.labels(0), ["9", "6", "2", "4", "5", "SEP", "2", "4", "5", "6", "9"]);
    }

    #[test]
    fn behind_bos_all_stands_one_position_later() {
        let task = SortedList::new(3, 9).unwrap().with_bos(true);
        assert_eq!(task.complete(&[5, 9, 2]).unwrap(), [10, 5, 9, 2, 11, 2, 5, 9]);
        assert_eq!((task.n_ctx(), task.predicted_positions(), task.token_labels().len()), (8, vec![4, 5, 6], 12));
        let data = task.dataset(20, 1);
        data.tokens().outer_iter().for_each(|row| task.validate(&row.to_vec()).unwrap());
        assert_eq!(SortedList::of(&task.spec()).unwrap(), task);
    }

    #[test]
    fn bad_lists_are_named() {
        let task = SortedList::new(3, 9).unwrap();
        let said = |list: &[Token]| task.complete(list).unwrap_err().to_string();
        assert_eq!(said(&[1, 2]), "list: expected 3 values, found 2");
        assert_eq!(said(&[1, 10, 2]), "value 2 of the list: expected at most 9, found 10");
        assert_eq!(said(&[4, 1, 4]), "list: expected distinct values, found 4 twice");
        assert!(SortedList::new(11, 9).is_err() && SortedList::new(0, 9).is_err());
    }

    proptest! {
        #[test]
        fn every_input_is_counted_once(list_len in 1_usize..4, spare in 0_u32..4) {
            let task = SortedList::new(list_len, list_len as u32 - 1 + spare).unwrap();
            let values = task.max_value() + 1;
            let mut expected: Vec<Vec<Token>> = vec![vec![]];
            for _ in 0..list_len {
                let longer = |list: &Vec<Token>| (0..values).map(|value| [&list[..], &[value]].concat()).collect::<Vec<_>>();
                expected = expected.iter().flat_map(longer).collect();
            }
            expected.retain(|list| task.check_list(list).is_ok());
            let inputs = task.inputs().unwrap();
            prop_assert_eq!(inputs.count(), expected.len() as u128);
            prop_assert_eq!(inputs.iter().collect::<Vec<_>>(), expected);
        }

        #[test]
        fn inputs_far_apart_are_lists_too(share in 0.0..1.0_f64) {
            let inputs = SortedList::POST.inputs().unwrap();
            // 51!/41!
            prop_assert_eq!(inputs.count(), 46_367_760_833_856_000);
            let at = (share * inputs.count() as f64) as u128;
            let [one, next] = [at, at + 1].map(|at| inputs.get(at.min(inputs.count() - 1)).unwrap());
            SortedList::POST.check_list(&one).unwrap();
            prop_assert!(one < next || at + 1 >= inputs.count());
        }

        #[test]
        fn generated_examples_are_valid(seed in any::<u32>(), list_len in 1_usize..8, spare in 0_u32..8) {
            let task = SortedList::new(list_len, list_len as u32 - 1 + spare).unwrap();
            let data = task.dataset(20, seed);
            for row in data.tokens().rows() {
                task.validate(&row.to_vec()).unwrap();
            }
        }
    }
}
