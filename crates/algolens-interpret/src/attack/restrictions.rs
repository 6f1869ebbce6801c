//! Restrictions of an attack.

use algolens_core::{
    Error, Result,
    task::{Family, Token},
};

/// Which answers an attack looks at; all, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restrictions {
    /// Only those at this position.
    pub position: Option<usize>,
    /// Only inputs of these members of families, each `[family, member]` by the names they have.
    pub members: Vec<[String; 2]>,
}

/// Members of families by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Members(Vec<(usize, usize)>);

impl Members {
    /// The members of these names.
    ///
    /// # Errors
    /// A name that none has; a family whose members cannot be told.
    pub fn of(names: &[[String; 2]], families: &[Family]) -> Result<Self> {
        let number = |[family, member]: &[String; 2]| {
            let at = named(families.iter().map(|family| family.id), "family", family)?;
            if !families[at].tells() {
                return Err(Error::invalid("family", "one that tells of which member an input is", family.clone()));
            }
            let members = families[at].members.iter().map(|member| member.name.as_str());
            Ok((at, named(members, &format!("member of {family}"), member)?))
        };
        Ok(Self(names.iter().map(number).collect::<Result<_>>()?))
    }

    /// Whether a whole example is of all of them.
    pub fn have(&self, example: &[Token], families: &[Family]) -> bool {
        self.0.iter().all(|(family, member)| families[*family].member_of(example) == Some(*member))
    }

    /// The numbers of each: of its family, and of it among its members.
    pub fn numbers(&self) -> &[(usize, usize)] {
        &self.0
    }
}

/// The number of a name among some.
fn named<'a>(names: impl Iterator<Item = &'a str>, what: &str, name: &str) -> Result<usize> {
    let names: Vec<&str> = names.collect();
    names.iter().position(|other| *other == name).ok_or_else(|| {
        let expected = if names.is_empty() { "a task that has some".into() } else { names.join(", ") };
        Error::invalid(what.to_owned(), expected, name.to_owned())
    })
}
