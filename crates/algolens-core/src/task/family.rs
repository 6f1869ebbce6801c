//! Families of inputs: those that differ in one respect.

use super::{Task, Token};
use crate::random::Twister;
use std::fmt;

/// A family of a task's inputs. Its members differ in one respect, so that a model's mistakes show where they are made; random
/// inputs may hardly ever be of a member on which a model always fails.
pub struct Family<'a> {
    /// What files and links call it: letters, digits and `_`.
    pub id: &'static str,
    /// In what its members differ, in a few words: "which mirror pairs differ".
    pub differs_in: &'static str,
    /// The members, in their order.
    pub members: Vec<Member<'a>>,
    /// Of which member an example is, if of any, where that can be told.
    member_of: Option<Box<MemberOf<'a>>>,
}

/// A member of a [`Family`].
pub struct Member<'a> {
    /// What it is called.
    pub name: String,
    draw: Box<Draw<'a>>,
}

type Draw<'a> = dyn Fn(&mut Twister) -> Option<Vec<Token>> + Send + Sync + 'a;
type MemberOf<'a> = dyn Fn(&[Token]) -> Option<usize> + Send + Sync + 'a;

impl<'a> Family<'a> {
    /// A family without members.
    pub fn new(id: &'static str, differs_in: &'static str) -> Self {
        Self { id, differs_in, members: Vec::new(), member_of: None }
    }

    /// The family with one more member, and how its inputs are drawn; none where there is no such input.
    pub fn with(
        mut self,
        name: impl Into<String>,
        draw: impl Fn(&mut Twister) -> Option<Vec<Token>> + Send + Sync + 'a,
    ) -> Self {
        self.members.push(Member { name: name.into(), draw: Box::new(draw) });
        self
    }

    /// The family, whose members are told by a number of each whole example; none of an example that is of no member.
    pub fn told_by(self, member_of: impl Fn(&[Token]) -> Option<usize> + Send + Sync + 'a) -> Self {
        Self { member_of: Some(Box::new(member_of)), ..self }
    }

    /// Whether it can be told of which member an example is.
    pub fn tells(&self) -> bool {
        self.member_of.is_some()
    }

    /// Of which member a whole example is, if of any; of none where that cannot be told.
    pub fn member_of(&self, example: &[Token]) -> Option<usize> {
        self.member_of.as_ref()?(example).filter(|member| *member < self.members.len())
    }

    /// A family whose members, of these names, are told by a number of each example; their inputs are those of random examples.
    pub fn by<N: Into<String>>(
        id: &'static str,
        differs_in: &'static str,
        task: &'a dyn Task,
        names: impl IntoIterator<Item = N>,
        member_of: impl Fn(&[Token]) -> usize + Copy + Send + Sync + 'a,
    ) -> Self {
        /// Draws for one input: of a member that is rarer there are none.
        const MOST_DRAWS: usize = 10_000;
        let family = names.into_iter().enumerate().fold(Self::new(id, differs_in), |family, (member, name)| {
            family.with(name, move |rng| {
                let mut example = vec![0; task.n_ctx()];
                let found = (0..MOST_DRAWS).any(|_| {
                    task.generate(rng, &mut example);
                    member_of(&example) == member
                });
                found.then(|| task.input(&example))
            })
        });
        family.told_by(move |example| Some(member_of(example)))
    }
}

impl Member<'_> {
    /// So many random inputs of it; fewer where one is not found.
    pub fn draw(&self, size: usize, rng: &mut Twister) -> Vec<Vec<Token>> {
        (0..size).map_while(|_| (self.draw)(rng)).collect()
    }
}

impl fmt::Debug for Family<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.members.iter().map(|member| &member.name).collect();
        f.debug_struct("Family").field("id", &self.id).field("members", &names).finish_non_exhaustive()
    }
}
