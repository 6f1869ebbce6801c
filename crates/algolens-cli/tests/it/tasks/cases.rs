//! The models, and what was measured of them.

use algolens::task::{Registry, Task};
use algolens_testing::reference;
use serde_json::Value;
use std::sync::Arc;

/// A reference model: its folder, its file, its task, an input, a head of its last block.
#[derive(Clone, Copy)]
pub struct Case {
    pub folder: &'static str,
    pub file: &'static str,
    pub task: &'static str,
    pub input: &'static str,
    pub head: &'static str,
    /// Predictions of a sequence that are independent enough to count.
    pub independent: f64,
    /// What was measured of it, as the path in `expected.json`.
    pub measured: &'static [&'static str],
    /// On so many examples.
    pub examples: f64,
}

/// The cases that go through every verb: classes at the end, at every position, an MLP.
pub fn of_every_kind() -> impl Iterator<Item = Case> {
    CASES.into_iter().filter(|case| ["palindromes", "first_unique", "cumsum"].contains(&case.folder))
}

pub const CASES: [Case; 14] = [
    Case {
        folder: "palindromes",
        file: "palindrome_classifier.pt",
        task: "palindrome(half_length=10,max_value=30)",
        input: "1,2,3,4,5,6,7,8,9,10,10,9,8,7,6,5,4,3,2,1",
        head: "1.0",
        independent: 1.0,
        measured: &["measured"],
        examples: 10_000.0,
    },
    Case {
        folder: "palindromes_berlin",
        file: "palindrome_classifier.pt",
        task: "palindrome(half_length=10,max_value=30)",
        input: "1,2,3,4,5,6,7,8,9,10,10,9,8,7,6,5,4,3,2,1",
        head: "1.0",
        independent: 1.0,
        measured: &["models", "palindrome_classifier.pt", "measured"],
        examples: 10_000.0,
    },
    Case {
        folder: "palindromes_berlin",
        file: "palindrome_classifier_hard.pt",
        task: "palindrome(half_length=10,max_value=30)",
        input: "1,2,3,4,5,6,7,8,9,10,10,9,8,7,6,5,4,3,2,1",
        head: "1.0",
        independent: 1.0,
        measured: &["models", "palindrome_classifier_hard.pt", "measured"],
        examples: 10_000.0,
    },
    Case {
        folder: "first_unique",
        file: "first_unique_char_model.pt",
        task: "first_unique(length=19,symbols=10)",
        input: "aabacbdddeafghijabc",
        head: "1.2",
        independent: 2.0,
        measured: &["measured"],
        examples: 10_000.0,
    },
    Case {
        folder: "sum",
        file: "sum_model.pt",
        task: "sum(digits=4)",
        input: "2968+1606",
        head: "1.0",
        independent: 4.0,
        measured: &["measured"],
        examples: 10_000.0,
    },
    Case {
        folder: "cumsum",
        file: "cumsum_model.pt",
        task: "cumulative_sum(largest=5,length=20)",
        input: "1,-2,3,0,0,5,-5,-5,1,2,3,-4,-5,1,0,2,-2,5,5,-1",
        head: "0.0",
        independent: 2.0,
        measured: &["measured"],
        examples: 10_000.0,
    },
    Case {
        folder: "caesar",
        file: "caesar_cipher_model_easy.pt",
        task: "caesar(level=easy,words=8)",
        input: "lzw sfv lzw osk lzw lzw sfv qgm ",
        head: "1.0",
        independent: 1.0,
        measured: &["models", "caesar_cipher_model_easy.pt", "measured"],
        examples: 10_000.0,
    },
    Case {
        folder: "caesar",
        file: "caesar_cipher_model_medium.pt",
        task: "caesar(level=medium,words=8)",
        input: "lzw sfv lzw osk lzw lzw sfv qgm ",
        head: "1.0",
        independent: 1.0,
        measured: &["models", "caesar_cipher_model_medium.pt", "measured"],
        examples: 10_000.0,
    },
    Case {
        folder: "trigrams",
        file: "trigram_model.pt",
        task: "trigrams(length=50,symbols=75)",
        input: "0,17,26,3,4,5,6,7,8,9,10,11,13,12,14,15,16,1,18,19,20,21,22,23,24,25,2,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49",
        head: "0.0",
        independent: 40.0,
        measured: &["measured"],
        examples: 10_000.0,
    },
    Case {
        folder: "brackets",
        file: "brackets_model_state_dict.pt",
        task: "balanced_brackets(balanced=0.46,max_len=40)",
        input: "(()(()))()",
        head: "2.0",
        independent: 1.0,
        measured: &["measured", "all 100 000 strings of the authors' file"],
        examples: 100_000.0,
    },
    Case {
        folder: "max_of_list",
        file: "model.pt",
        task: "max_of_list(digits=1,len=5,max=9,separators=true)",
        input: "3,7,1,0,5",
        head: "0.3",
        independent: 1.0,
        measured: &["published_again"],
        examples: 10_000.0,
    },
    Case {
        folder: "longest_cycle",
        file: "transformer_longest_cycle_h4_n4.safetensors",
        task: "longest_cycle(n=4)",
        input: "1,2,0,3",
        head: "1.0",
        independent: 1.0,
        measured: &["measured"],
        examples: 10_000.0,
    },
    Case {
        folder: "modular_addition",
        file: "wd_10-1_mod_addition_loss_curve.pth",
        task: "modular_arithmetic(equals_class=true,op=add,p=113)",
        input: "100,50",
        head: "0.0",
        independent: 1.0,
        measured: &["models", "wd_10-1_mod_addition_loss_curve.pth", "measured"],
        examples: 10_000.0,
    },
    Case {
        folder: "one_head_sorting",
        file: "model_1.pkl",
        task: "sorted_list(bos=true,list_len=5,max_value=63)",
        input: "5,13,9,58,19",
        head: "0.0",
        independent: 3.0,
        measured: &["measured"],
        examples: 10_000.0,
    },
];

/// A claim of a published solution, judged on a reference model: its file, the claim, the verdict, and a part of the detail.
pub struct Judged {
    pub file: &'static str,
    pub claim: &'static str,
    pub verdict: &'static str,
    pub detail: &'static str,
}

const fn judged(file: &'static str, claim: &'static str, verdict: &'static str, detail: &'static str) -> Judged {
    Judged { file, claim, verdict, detail }
}

/// Claims with what was measured of them in float64, apart from this program: heads and their letters, keys and their frequencies.
pub const JUDGED: [Judged; 24] = [
    judged("palindrome_classifier.pt", "equal_pairs_attend_to_their_image", "partly", "head 0.0"),
    judged("palindrome_classifier.pt", "broken_pairs_attend_to_themselves", "holds", "head 0.0"),
    judged("palindrome_classifier.pt", "end_attends_to_broken_places", "holds", "head 1.0"),
    judged("palindrome_classifier.pt", "pairs_of_17_and_19_go_unseen", "holds", "broken at 19, 17"),
    judged("palindrome_classifier_hard.pt", "pairs_of_17_and_19_go_unseen", "fails", ""),
    judged("first_unique_char_model.pt", "copies_are_attended_to", "holds", "0.1: b c d e f g h i j (0.5"),
    judged("first_unique_char_model.pt", "each_answer_has_its_head", "holds", "1.0: a c (1"),
    judged("first_unique_char_model.pt", "each_answer_has_its_head", "holds", "1.1: d e f j (1"),
    judged("first_unique_char_model.pt", "each_answer_has_its_head", "holds", "1.2: b g h i (1"),
    judged("sum_model.pt", "order_of_digits", "holds", "head 0.0: 0 > 9 > 1 > "),
    judged("sum_model.pt", "first_block_matters_more", "holds", ""),
    judged("sum_model.pt", "repeated_carries_fail", "partly", "units and tens and hundreds"),
    judged("cumsum_model.pt", "attention_is_even", "holds", ""),
    judged("cumsum_model.pt", "neurons_have_a_sign", "holds", "for positive sums 2, 7;"),
    judged("cumsum_model.pt", "neurons_tell_signs_from_zero", "holds_as_control", "100.0 % and 70.1 % right"),
    judged("brackets_model_state_dict.pt", "first_bracket_averages", "holds", "head 0."),
    judged("brackets_model_state_dict.pt", "start_copies_first_bracket", "holds", "head 2.0"),
    judged(
        "brackets_model_state_dict.pt",
        "heads_share_the_faults",
        "fails",
        "closed too often at the end: 6.1 nats from 2.0, 7.5 from 2.1; closed too early: 5.2 and 16.0",
    ),
    judged(
        "model.pt",
        "one_head_reads_the_maximum",
        "holds",
        "head 0.3; half the weight or more: 0.0 from 8, 0.1 from 9, 0.2 from 6, 0.3 from 0",
    ),
    judged("model.pt", "scores_grow_with_size", "holds", "head 0.3"),
    judged("model.pt", "its_pattern_may_be_one_hot", "holds", ""),
    judged("model.pt", "all_patterns_may_be_one_hot", "fails", ""),
    judged(
        "wd_10-1_mod_addition_loss_curve.pth",
        "few_frequencies",
        "holds",
        "23 (81.2 %), 6 (7.3 %), 37 (3.8 %), 41 (3.1 %), 39 (2.1 %)",
    ),
    judged("wd_10-1_mod_addition_loss_curve.pth", "pizza", "fails", ""),
];

impl Case {
    pub fn model(&self) -> Option<String> {
        let path = reference(&format!("{}/{}", self.folder, self.file))?;
        Some(path.to_str().expect("a path in UTF-8").to_owned())
    }

    pub fn measured(&self) -> Value {
        let path = reference(&format!("{}/expected.json", self.folder)).expect("it is beside the model");
        let expected: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        self.measured.iter().fold(expected, |part, key| part[*key].clone())
    }

    pub fn task(&self) -> Arc<dyn Task> {
        Registry::default().task(&self.task.parse().unwrap()).unwrap()
    }

    /// What says which of two tasks of one kind it is, where sizes do not.
    pub fn flags(&self) -> &'static [&'static str] {
        if self.task.contains("medium") { &["--task", "caesar(level=medium)"] } else { &[] }
    }
}
