//! The pickle machine: a stack, a memo, and what each opcode does to them. Nothing is imported, built or called.

use super::{
    super::{
        bytes::Bytes,
        limits::{Budget, MOST_OPCODES},
    },
    arena::{Arena, Global, Item, Node},
    call,
    reader::{Reader, broken},
};
use crate::{Error, Result};
use std::{collections::HashMap, sync::Arc};

/// A machine that runs one pickle.
pub(super) struct Machine<'a> {
    reader: Reader,
    stack: Vec<Item>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<usize, Item>,
    arena: Arena,
    budget: &'a mut Budget,
}

/// Runs the pickle at the start of `bytes`: what it has made, its value, and its length.
pub(super) fn run(bytes: &Bytes, budget: &mut Budget) -> Result<(Arena, Item, usize)> {
    let mut machine = Machine {
        reader: Reader::new(bytes),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        arena: Arena::default(),
        budget,
    };
    for _ in 0..MOST_OPCODES {
        let opcode = machine.reader.byte()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok((machine.arena, root, machine.reader.at()));
        }
        machine.step(opcode)?;
    }
    Err(broken(format_args!("it takes more than {MOST_OPCODES} operations")))
}

impl Machine<'_> {
    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            0x80 => {
                let protocol = self.reader.byte()?;
                if protocol > 5 {
                    return Err(broken(format_args!("it is of protocol {protocol}; 2 to 5 are read")));
                }
            }
            // A frame's length, of use to who reads in blocks.
            0x95 => drop(self.reader.array::<8>()?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => self.discard()?,
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.stack.push(Item::None),
            0x88 => self.stack.push(Item::Bool(true)),
            0x89 => self.stack.push(Item::Bool(false)),
            b'J' | b'K' | b'M' | 0x8a | 0x8b => self.integer(opcode)?,
            b'G' => {
                let number = f64::from_be_bytes(self.reader.array()?);
                self.stack.push(Item::Float(number));
            }
            b'U' | b'T' | b'X' | 0x8c | 0x8d | b'B' | b'C' | 0x8e | 0x96 => self.string(opcode)?,
            b')' | b']' | b'}' | 0x8f | b't' | 0x85..=0x87 | b'l' | b'd' | 0x91 => self.collection(opcode)?,
            b'a' | b'e' | 0x90 | b's' | b'u' => self.fill(opcode)?,
            b'c' | 0x93 => self.global(opcode)?,
            b'R' | 0x81 | 0x92 | b'o' => self.call(opcode)?,
            b'b' => {
                let (state, target) = (self.pop()?, self.top()?);
                call::build(&mut self.arena, target, state);
            }
            b'Q' => {
                let id = self.pop()?;
                let item = call::persistent(&mut self.arena, id)?;
                self.stack.push(item);
            }
            b'h' | b'j' | b'q' | b'r' | 0x94 => self.memory(opcode)?,
            b'I' | b'L' | b'F' | b'S' | b'V' | b'p' | b'g' | b'P' | b'i' => {
                let name = char::from(opcode);
                return Err(broken(format_args!("it uses {name}, of protocol 0; save it with protocol 2 to 5")));
            }
            other => return Err(broken(format_args!("{other:#04x} is no opcode that is read: it is damaged"))),
        }
        Ok(())
    }

    /// The value on top of the stack, above the last mark.
    fn top(&self) -> Result<Item> {
        let below = self.marks.last().copied().unwrap_or(0);
        self.stack.get(below..).and_then(|above| above.last().copied()).ok_or_else(empty)
    }

    fn pop(&mut self) -> Result<Item> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// Everything above the last mark, and the mark itself.
    fn pop_to_mark(&mut self) -> Result<Vec<Item>> {
        let mark = self.marks.pop().ok_or_else(empty)?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    /// Drops the top of the stack, be it a value or a mark.
    fn discard(&mut self) -> Result<()> {
        if self.top().is_ok() { self.pop().map(drop) } else { self.marks.pop().map(drop).ok_or_else(empty) }
    }

    fn push(&mut self, node: Node) -> Result<()> {
        let item = self.arena.add(node)?;
        self.stack.push(item);
        Ok(())
    }

    fn integer(&mut self, opcode: u8) -> Result<()> {
        let reader = &mut self.reader;
        let number = match opcode {
            b'J' => i32::from_le_bytes(reader.array()?).into(),
            b'K' => reader.byte()?.into(),
            b'M' => u16::from_le_bytes(reader.array()?).into(),
            long => {
                let bytes = if long == 0x8a { reader.sized::<1>()? } else { reader.sized::<4>()? };
                if bytes.len() > 8 {
                    return self.push(Node::Bytes(bytes));
                }
                let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
                let mut all = [if negative { 0xff } else { 0 }; 8];
                all[..bytes.len()].copy_from_slice(&bytes);
                i64::from_le_bytes(all)
            }
        };
        self.stack.push(Item::Int(number));
        Ok(())
    }

    fn string(&mut self, opcode: u8) -> Result<()> {
        let bytes = match opcode {
            b'U' | 0x8c | b'C' => self.reader.sized::<1>()?,
            b'T' | b'X' | b'B' => self.reader.sized::<4>()?,
            _ => self.reader.sized::<8>()?,
        };
        let node = match opcode {
            b'B' | b'C' | 0x8e | 0x96 => Node::Bytes(bytes),
            // Python 2 knew no difference.
            b'U' | b'T' => match std::str::from_utf8(&bytes) {
                Ok(text) => Node::Text(text.into()),
                Err(_) => Node::Bytes(bytes),
            },
            _ => Node::Text(text(&bytes)?),
        };
        self.push(node)
    }

    fn collection(&mut self, opcode: u8) -> Result<()> {
        let node = match opcode {
            b')' => Node::Tuple(Vec::new()),
            b']' => Node::List(Vec::new()),
            b'}' => Node::Dict(Vec::new()),
            0x8f => Node::Set(Vec::new()),
            b't' => Node::Tuple(self.pop_to_mark()?),
            b'l' => Node::List(self.pop_to_mark()?),
            0x91 => Node::Set(self.pop_to_mark()?),
            b'd' => Node::Dict(pairs(&self.pop_to_mark()?)?),
            _ => {
                let mut items = vec![Item::None; usize::from(opcode - 0x84)];
                for item in items.iter_mut().rev() {
                    *item = self.pop()?;
                }
                Node::Tuple(items)
            }
        };
        self.push(node)
    }

    /// Puts values into what is on the stack below them.
    fn fill(&mut self, opcode: u8) -> Result<()> {
        let values = match opcode {
            b'a' => vec![self.pop()?],
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                vec![key, value]
            }
            _ => self.pop_to_mark()?,
        };
        let target = self.top()?;
        match (opcode, self.arena.node_mut(target)) {
            (b's' | b'u', Some(Node::Dict(entries))) => entries.extend(pairs(&values)?),
            (b's' | b'u', Some(Node::Object(object))) => object.items.extend(pairs(&values)?),
            (b'a' | b'e', Some(Node::List(items))) | (0x90, Some(Node::Set(items))) => items.extend(values),
            (b'a' | b'e' | 0x90, Some(Node::Object(object))) => object.elements.extend(values),
            _ => return Err(broken("it puts values into something that holds none")),
        }
        Ok(())
    }

    fn global(&mut self, opcode: u8) -> Result<()> {
        let (module, name) = if opcode == b'c' {
            (text(&self.reader.line()?)?, text(&self.reader.line()?)?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            let text = |item| self.arena.text(item).cloned().ok_or_else(|| broken("it imports what has no name"));
            (text(module)?, text(name)?)
        };
        self.budget.claim(module.len() + name.len(), "a name")?;
        self.push(Node::Global(Global::new(&module, &name)))
    }

    fn call(&mut self, opcode: u8) -> Result<()> {
        let (callee, args) = match opcode {
            b'o' => {
                let mut values = self.pop_to_mark()?;
                let args = values.split_off(values.len().min(1));
                let class = values.pop().ok_or_else(empty)?;
                (class, self.arena.add(Node::Tuple(args))?)
            }
            // Arguments by name change nothing that is read.
            0x92 => {
                let (_, args) = (self.pop()?, self.pop()?);
                (self.pop()?, args)
            }
            _ => {
                let args = self.pop()?;
                (self.pop()?, args)
            }
        };
        let made = call::call(&mut self.arena, self.budget, callee, args)?;
        self.stack.push(made);
        Ok(())
    }

    fn memory(&mut self, opcode: u8) -> Result<()> {
        let index = match opcode {
            b'h' | b'q' => self.reader.length::<1>()?,
            b'j' | b'r' => self.reader.length::<4>()?,
            _ => self.memo.len(),
        };
        if matches!(opcode, b'h' | b'j') {
            let remembered = self.memo.get(&index).ok_or_else(|| broken("it recalls what it never remembered"))?;
            self.stack.push(*remembered);
        } else {
            let top = self.top()?;
            self.memo.insert(index, top);
        }
        Ok(())
    }
}

/// Keys and values by turns, as pairs.
fn pairs(values: &[Item]) -> Result<Vec<(Item, Item)>> {
    let (pairs, rest) = values.as_chunks();
    if !rest.is_empty() {
        return Err(broken("it has a key without a value"));
    }
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}

fn text(bytes: &[u8]) -> Result<Arc<str>> {
    std::str::from_utf8(bytes).map(Into::into).map_err(|_| broken("a text in it is not UTF-8: it is damaged"))
}

fn empty() -> Error {
    broken("it takes a value where there is none: it is damaged")
}
