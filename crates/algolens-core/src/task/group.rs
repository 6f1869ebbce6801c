//! Products in finite groups (Chughtai et al. 2023; Stander et al. 2024).

use super::{
    Family, Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{and, check_example, check_values},
    modular_arithmetic::{grokking, grokking_model},
};
use crate::{
    Error, Result,
    model::Biases,
    random::{Twister, below},
    train::{Architecture, Recipe},
};

/// `a b =`: two elements of a group; at `=`, their product ab.
///
/// Elements are numbered from 0, and `=` comes after them. Permutations of `Sn` and `An` are written in one line (element 0 is
/// the identity, then in lexicographic order), and ab is *first b, then a*: (ab)(i) = a(b(i)). Of `Dn`, the symmetries of an
/// n-gon, rotations r⁰ … rⁿ⁻¹ come before reflections sr⁰ … srⁿ⁻¹, with r s = s r⁻¹. `Cn` is addition modulo n.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    name: String,
    labels: Vec<String>,
    /// `[a · order + b]`.
    products: Vec<Token>,
}

impl Group {
    /// The most elements.
    const LARGEST: usize = 1024;

    /// The group of a name: `S5`, `A5`, `D59`, `C113`.
    ///
    /// # Errors
    /// A name that none has, or a group of more than 1024 elements.
    pub fn new(name: &str) -> Result<Self> {
        let unknown =
            || Error::invalid("of", "a group of at most 1024 elements: S5, A5, D59, C113, …", format!("{name:?}"));
        let family = name.get(..1).ok_or_else(unknown)?;
        let n = name
            .get(1..)
            .and_then(|n| n.parse().ok())
            .filter(|n| (1..=Self::LARGEST).contains(n))
            .ok_or_else(unknown)?;
        let (labels, products) = match family {
            "S" | "A" if n <= 6 => permutations(n, family == "A"),
            "D" if 2 * n <= Self::LARGEST => dihedral(n),
            "C" => cyclic(n),
            _ => return Err(unknown()),
        };
        Ok(Self { name: name.into(), labels, products })
    }

    /// Elements.
    pub fn order(&self) -> usize {
        self.labels.len()
    }

    /// The product of two elements.
    pub fn product(&self, a: Token, b: Token) -> Token {
        self.products[a as usize * self.order() + b as usize]
    }
}

/// The permutations of n things, or the even ones: what they are called, and their products.
fn permutations(n: usize, even: bool) -> (Vec<String>, Vec<Token>) {
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..n {
        let longer = |begun: &Vec<usize>| {
            let left = (0..n).filter(|next| !begun.contains(next));
            left.map(|next| [&begun[..], &[next]].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    let inversions =
        |p: &[usize]| (0..n).flat_map(|i| (0..i).map(move |j| (j, i))).filter(|(j, i)| p[*j] > p[*i]).count();
    all.retain(|p| !even || inversions(p) % 2 == 0);
    let labels = all.iter().map(|p| p.iter().map(|i| (i + 1).to_string()).collect()).collect();
    // In lexicographic order, by which they are found.
    let number = |p: Vec<usize>| all.binary_search(&p).unwrap_or_default() as Token;
    let products = all.iter().flat_map(|a| all.iter().map(move |b| number(b.iter().map(|i| a[*i]).collect())));
    (labels, products.collect())
}

/// The symmetries of an n-gon.
fn dihedral(n: usize) -> (Vec<String>, Vec<Token>) {
    let element = |at: usize| (at / n, at % n);
    let label = |at| match element(at) {
        (0, turn) => format!("r{turn}"),
        (_, turn) => format!("sr{turn}"),
    };
    // sᵃrⁱ sᵇrʲ = sᵃ⁺ᵇ r^(±i + j), minus where b is 1.
    let product = |a, b| {
        let ((flip_a, i), (flip_b, j)) = (element(a), element(b));
        let turn = if flip_b == 1 { n - i + j } else { i + j } % n;
        ((flip_a + flip_b) % 2 * n + turn) as Token
    };
    let products = (0..2 * n).flat_map(|a| (0..2 * n).map(move |b| product(a, b))).collect();
    ((0..2 * n).map(label).collect(), products)
}

/// Addition modulo n.
fn cyclic(n: usize) -> (Vec<String>, Vec<Token>) {
    let products = (0..n).flat_map(|a| (0..n).map(move |b| ((a + b) % n) as Token)).collect();
    ((0..n).map(|at| at.to_string()).collect(), products)
}

impl Task for Group {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("of", self.name.clone())
    }

    fn n_ctx(&self) -> usize {
        3
    }

    fn token_labels(&self) -> Vec<String> {
        and(self.labels.clone(), &["="])
    }

    fn output_labels(&self) -> Vec<String> {
        self.labels.clone()
    }

    fn roles(&self) -> Vec<Role> {
        vec![Role::Input, Role::Input, Role::Separator]
    }

    fn predicted_positions(&self) -> Vec<usize> {
        vec![2]
    }

    fn targets(&self, example: &[Token]) -> Targets {
        vec![self.product(example[0], example[1])].into()
    }

    /// Every pair, a the slower.
    fn inputs(&self) -> Option<Inputs<'_>> {
        Inputs::sequences(2, self.order() as Token)
    }

    fn families(&self) -> Vec<Family<'_>> {
        let order = self.order() as Token;
        let any = move |rng: &mut Twister| below(rng, order);
        let pair = move |make: fn(Token) -> [Token; 2]| move |rng: &mut Twister| Some(make(any(rng)).to_vec());
        let family = Family::new("pairs", "which elements they are").with("a = b", pair(|a| [a, a]));
        let family = family.with("a = 1", pair(|b| [0, b])).with("b = 1", pair(|a| [a, 0]));
        let inverse = move |a: Token| (0..order).find(|b| self.product(a, *b) == 0).unwrap_or(0);
        let family = family.with("b = 1/a", move |rng| {
            let a = any(rng);
            Some(vec![a, inverse(a)])
        });
        let commutes = |example: &[Token]| {
            let (a, b) = (example[0], example[1]);
            usize::from(self.product(a, b) != self.product(b, a))
        };
        vec![family, Family::by("commuting", "whether they commute", self, ["ab = ba", "ab ≠ ba"], commutes)]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let order = self.order() as Token;
        example.copy_from_slice(&[below(rng, order), below(rng, order), order]);
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_example(example, &self.complete(example.get(..2).unwrap_or(example))?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("pair", input, 2, self.order() as Token)?;
        Ok([input, &[self.order() as Token]].concat())
    }
}

impl TaskKind for Group {
    const NAME: &'static str = "group";
    const ABOUT: &'static str = "the product of two elements of a finite group";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(&options.take("of", String::from("S5"))?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture { biases: Biases::NONE, ..grokking_model() };
        Recipe { task: Some(self.spec()), model, train_share: Some(0.6), ..grokking() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_groups_of_their_orders() {
        for (name, order, commutes) in [
            ("S3", 6, false),
            ("S5", 120, false),
            ("A5", 60, false),
            ("A4", 12, false),
            ("D59", 118, false),
            ("C113", 113, true),
            ("D2", 4, true),
        ] {
            let group = Group::new(name).unwrap();
            assert_eq!(group.order(), order, "{name}");
            let all = 0..order as Token;
            let identity =
                all.clone().find(|e| all.clone().all(|x| group.product(*e, x) == x && group.product(x, *e) == x));
            assert_eq!(identity, Some(0), "{name}");
            for a in all.clone() {
                let mut row: Vec<Token> = all.clone().map(|b| group.product(a, b)).collect();
                row.sort_unstable();
                assert!(row.into_iter().eq(all.clone()), "{name}: {a} is invertible");
            }
            let some = || all.clone().step_by(7);
            let triples = some().flat_map(|a| some().flat_map(move |b| some().map(move |c| (a, b, c))));
            for (a, b, c) in triples {
                let [left, right] = [group.product(group.product(a, b), c), group.product(a, group.product(b, c))];
                assert_eq!(left, right, "{name}: ({a} {b}) {c}");
            }
            let pairs = || all.clone().flat_map(|a| all.clone().map(move |b| (a, b)));
            assert_eq!(pairs().all(|(a, b)| group.product(a, b) == group.product(b, a)), commutes, "{name}");
        }
    }

    #[test]
    fn permutations_are_applied_from_the_right() {
        let s3 = Group::new("S3").unwrap();
        let number = |label: &str| s3.labels.iter().position(|other| other == label).unwrap() as Token;
        // First exchange 1 and 2, then 2 and 3: 1 goes to 2, and that to 3.
        assert_eq!(s3.product(number("132"), number("213")), number("312"));
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "S", "S7", "S0", "D600", "C2000", "Q8", "é5", "S-1"] {
            let said = Group::new(name).unwrap_err().to_string();
            assert!(said.starts_with("of: expected a group of at most 1024 elements"), "{said}");
        }
    }
}
