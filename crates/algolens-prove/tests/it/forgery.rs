//! Forged certificates: refused, or no stronger than the honest one.

use crate::cases::{Enumerated, Kind, certificate, kinds, train};
use algolens_check::{
    Checked,
    certificate::{Certificate, Identity, Status, evidence::tag},
};
use algolens_core::{
    Result,
    engine::Plain,
    model::{Biases, Model, Normalization, Positions},
    task::{MaxOfList, TaskSpec},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    ops::ControlFlow,
};

#[test]
fn tampered_certificates_are_refused() {
    let (model, task) = train(&kinds()[1], 1);
    check_tampered(&model, certificate(&model, &task, 20_000));
    let (model, task) = largest();
    let honest = certificate(&model, &task, 2000);
    check_tampered(&model, honest.clone());
    let other = TaskSpec::new("max_of_list").with("len", 4).with("max", 8).with("digits", 1).with("separators", true);
    let forged = Certificate { model: Identity { task: other, ..honest.model.clone() }, ..honest };
    assert!(checked(&forged, &model).is_err());
}

/// A model of the largest value of four that is right on some lists only.
fn largest() -> (Model, MaxOfList) {
    let kind = Kind {
        list_len: 4,
        max_value: 9,
        n_heads: 2,
        norm: Normalization::LN,
        positions: Positions::Standard,
        biases: Biases::ALL,
        epochs: 1,
    };
    let case = Enumerated::largest(&kind, true, 1);
    (case.model, case.task)
}

fn check_tampered(model: &Model, honest: Certificate) {
    let is_refused = |tamper: &dyn Fn(&mut Certificate)| {
        let mut forged = honest.clone();
        tamper(&mut forged);
        checked(&forged, model).is_err_and(|error| !error.to_string().contains('\n'))
    };
    assert!(!is_refused(&|_| {}));
    assert!(is_refused(&|c| c
        .model
        .sha256
        .replace_range(..1, if c.model.sha256.starts_with('0') { "1" } else { "0" })));
    assert!(is_refused(&|c| _ = c.class_status.remove(7)));
    assert!(is_refused(&|c| c.class_status.swap(3, 4)));
    assert!(is_refused(&|c| c.class_status[5].share *= 1.001));
    assert!(is_refused(&|c| c.token_accuracy.lower += 1e-6));
    assert!(is_refused(&|c| c.token_accuracy.upper -= 1e-6));
    assert!(is_refused(&|c| c.list_accuracy.lower += 1e-6));
    assert!(is_refused(&|c| c.list_accuracy.upper -= 1e-6));
    assert!(is_refused(&|c| c.step *= 1.01));
    assert!(is_refused(&|c| {
        let refuted = c.class_status.iter_mut().find(|class| class.status == Status::Refuted).unwrap();
        refuted.status = Status::Certified;
    }));
    assert!(is_refused(&|c| c.counterexamples.as_mut().unwrap()[0].margin += 1e-3));
    assert!(is_refused(&|c| c.counterexamples.as_mut().unwrap()[0].list[0] = 200));
    let mut other = model.clone();
    other.params.values_mut()[17] += 1e-3;
    assert!(checked(&honest, &other).is_err());
}

fn checked(certificate: &Certificate, model: &Model) -> Result<Checked> {
    algolens_check::check(certificate, model, &Plain::new(), &mut |_| ControlFlow::Continue(()))
}

fn unpack(evidence: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(&BASE64_STANDARD.decode(evidence).unwrap()[..]).read_to_end(&mut bytes).unwrap();
    bytes
}

fn pack(bytes: &[u8]) -> String {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(bytes).unwrap();
    BASE64_STANDARD.encode(zlib.finish().unwrap())
}

/// What a byte of evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// The tag of a move or of an end.
    Tag,
    /// A rival's number.
    Rival,
    /// Which floors move, and if cells follow.
    Flags,
    /// By how much a floor moves.
    Floor,
    /// The head that a cell is halved along, or the tag of a leaf.
    Cell,
    /// A Lagrange multiplier.
    Multiplier,
    /// The token of a split.
    SplitToken,
    /// The options of a split's first node.
    SplitOptions,
    /// The position of a split.
    SplitPosition,
    /// How many bytes its tokens take.
    SplitLength,
    /// The tokens of its first node.
    SplitTokens,
}

/// Names the bytes of evidence, by the grammar of [`evidence`](algolens_check::certificate::evidence).
struct Roles<'a> {
    bytes: &'a [u8],
    roles: Vec<Role>,
}

impl<'a> Roles<'a> {
    fn of(bytes: &'a [u8], heads: usize) -> Vec<Role> {
        let mut roles = Self { bytes, roles: Vec::with_capacity(bytes.len()) };
        while roles.roles.len() < bytes.len() {
            match roles.byte(Role::Tag) {
                tag::RIGHT | tag::WRONG => roles.floors(heads),
                tag::SPLIT => {
                    roles.number(Role::SplitToken);
                    roles.byte(Role::SplitOptions);
                    roles.byte(Role::SplitOptions);
                }
                tag::SPLIT_AT => {
                    roles.number(Role::SplitPosition);
                    let length = roles.number(Role::SplitLength);
                    (0..length).for_each(|_| _ = roles.byte(Role::SplitTokens));
                }
                _ => {}
            }
        }
        roles.roles
    }

    fn byte(&mut self, role: Role) -> u8 {
        self.roles.push(role);
        self.bytes[self.roles.len() - 1]
    }

    /// LEB128.
    fn number(&mut self, role: Role) -> u64 {
        let byte = self.byte(role);
        u64::from(byte & 0x7f) | if byte < 0x80 { 0 } else { self.number(role) << 7 }
    }

    fn floors(&mut self, heads: usize) {
        self.number(Role::Rival);
        let flags = self.number(Role::Flags);
        for _ in 0..(flags >> 1).count_ones() {
            self.number(Role::Floor);
        }
        let mut cells = flags & 1;
        while cells > 0 {
            cells -= 1;
            if self.byte(Role::Cell) == tag::LEAF {
                (1..heads).for_each(|_| _ = self.byte(Role::Multiplier));
            } else {
                cells += 2;
            }
        }
    }
}

impl Role {
    /// Why a byte of this role may change in a proof that still holds; none where any change breaks the proof.
    fn why_it_may_change(self) -> Option<&'static str> {
        match self {
            // Another move, other floors or another subdivision: what follows is read as something that it is not.
            Self::Tag | Self::Flags | Self::Cell | Self::SplitLength => None,
            Self::Rival => Some("what is said holds of another rival, too, and nothing later needs it of this one"),
            Self::Floor => Some("any floor will do that holds and is high enough"),
            Self::Multiplier => Some("any multiplier μ ≥ 0 gives a relaxation, and this one decides as much"),
            Self::SplitToken => Some("two nodes cover their parent whichever token it is split on"),
            Self::SplitOptions => Some("two nodes cover their parent whichever options go where"),
            Self::SplitPosition => Some("two nodes cover their parent whichever position it is split on"),
            Self::SplitTokens => Some("two nodes cover their parent whichever tokens go where"),
        }
    }
}

/// A byte of evidence says how to prove, not what is proved. The honest proof is complete, so a sound checker proves no
/// more of any other, and what it says needs no less: a changed byte is refused, or is a hint with which the same is
/// proved to the last bit.
#[test]
fn a_changed_byte_of_evidence_is_refused_or_is_a_hint_that_proves_the_same() {
    let (model, task) = train(&kinds()[1], 1);
    check_changed_bytes(&model, &certificate(&model, &task, u64::MAX), 8);
    // Where the largest value is asked for, splits are on positions.
    let (model, task) = largest();
    check_changed_bytes(&model, &certificate(&model, &task, u64::MAX), 9);
}

/// Changes bytes of every one of so many roles.
fn check_changed_bytes(model: &Model, honest: &Certificate, roles: usize) {
    /// Of each role, bytes that are changed.
    const BYTES: usize = 8;
    let proved = checked(honest, model).unwrap().proved;
    assert_eq!(proved.classes.undecided, 0);
    let bytes = unpack(&honest.evidence);
    let mut places = BTreeMap::<Role, Vec<usize>>::new();
    for (at, role) in Roles::of(&bytes, model.config().n_heads).into_iter().enumerate() {
        places.entry(role).or_default().push(at);
    }
    assert_eq!(places.len(), roles, "every role is there: {:?}", places.keys());
    for (role, places) in places {
        let mut refused = 0;
        for at in places.iter().step_by(places.len().div_ceil(BYTES)) {
            for by in [1, 3, 0x80] {
                let mut changed = bytes.clone();
                changed[*at] = changed[*at].wrapping_add(by);
                let forged = Certificate { evidence: pack(&changed), ..honest.clone() };
                match (checked(&forged, model), role.why_it_may_change()) {
                    (Err(error), _) => {
                        assert!(!error.to_string().contains('\n'), "{error}");
                        refused += 1;
                    }
                    (Ok(_), None) => panic!("{role:?} at {at} plus {by} is accepted"),
                    (Ok(checked), Some(why)) => assert_eq!(checked.proved, proved, "{role:?} at {at} plus {by}: {why}"),
                }
            }
        }
        assert!(refused > 0, "{role:?}: no change is refused");
    }
}
