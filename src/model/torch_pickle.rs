//! Reads the tensors of a torch checkpoint in the format from before torch 1.6.
//!
//! Five pickles (magic number, protocol version, system, state dict, storage keys), then for each key an `i64`
//! element count and the elements, little-endian. A pickle is a program that may call anything: this reader runs
//! only the instructions that build a state dict, and knows only the four names that one needs.

use std::collections::{BTreeMap, HashMap};

use thiserror::Error;

/// The magic number, as the pickle writes it: ten bytes, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PROTOCOL: i64 = 1001;

/// No pickle may run more instructions: each allocates little, so that this bounds the memory. EfficientNet-Lite0
/// takes 13 thousand.
const MOST_INSTRUCTIONS: usize = 1 << 20;

/// A tensor, row-major whatever its layout in the file was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// Why a checkpoint cannot be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PickleError {
    /// Another kind of file.
    #[error("it is not a torch checkpoint of the format before torch 1.6")]
    NotACheckpoint,
    /// The end came too soon.
    #[error("it is cut short")]
    CutShort,
    /// A name outside the list of those that a state dict needs.
    #[error("it asks for '{0}', which no state dict needs and which is not run")]
    Forbidden(String),
    /// An instruction outside the list of those that a state dict needs.
    #[error("it holds the instruction {0:#04x}, which no state dict needs")]
    Instruction(u8),
    /// Too much of something.
    #[error("it is larger than any state dict should be")]
    TooLarge,
    /// Something else does not fit together.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
}

use PickleError::{CutShort, Damaged, Forbidden, Instruction, NotACheckpoint, TooLarge};

/// The float tensors of a state dict, by name. Tensors of integers, which only count batches, are left out.
pub(crate) fn read_state_dict(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, PickleError> {
    let mut reader = Reader { bytes };
    let magic = Machine::run(&mut reader).map_err(|_| NotACheckpoint)?;
    if !matches!(magic.result()?, Value::Long(MAGIC)) {
        return Err(NotACheckpoint);
    }
    if !matches!(Machine::run(&mut reader)?.result()?, Value::Int(PROTOCOL)) {
        return Err(NotACheckpoint);
    }
    Machine::run(&mut reader)?;
    let state = Machine::run(&mut reader)?;
    let keys = Machine::run(&mut reader)?;

    let storages = read_storages(&mut reader, &state, &keys)?;
    let Value::Dict(entries) = state.result()? else { return Err(Damaged("the state is no dictionary")) };
    let mut tensors = BTreeMap::new();
    // Tensors may share a storage, so that a small file could ask for many large ones.
    let mut budget = bytes.len() / size_of::<f32>();
    for &(name, tensor) in entries {
        let (Value::Text(name), Value::Tensor(view)) = (state.value(name)?, state.value(tensor)?) else {
            return Err(Damaged("an entry of the state is no named tensor"));
        };
        if view.element == Element::Float {
            let storage = storages.get(view.storage).ok_or(Damaged("a storage is missing"))?;
            tensors.insert((*name).to_owned(), view.gather(storage, &mut budget)?);
        }
    }
    Ok(tensors)
}

/// The bytes of each storage, in the order in which the keys are listed.
fn read_storages<'a>(
    reader: &mut Reader<'a>,
    state: &Machine<'a>,
    keys: &Machine<'a>,
) -> Result<HashMap<&'a str, &'a [u8]>, PickleError> {
    let Value::List(keys_in_order) = keys.result()? else {
        return Err(Damaged("the storages are not listed"));
    };
    let elements: HashMap<&str, Element> = state
        .values
        .iter()
        .filter_map(|value| match value {
            Value::Storage(element, key) => Some((*key, *element)),
            _ => None,
        })
        .collect();
    let mut storages = HashMap::new();
    for &key in keys_in_order {
        let Value::Text(key) = keys.value(key)? else {
            return Err(Damaged("the key of a storage is no text"));
        };
        let element = elements.get(key).ok_or(Damaged("a storage is of no tensor"))?;
        let count = usize::try_from(i64::from_le_bytes(reader.array()?)).map_err(|_| CutShort)?;
        let length = count.checked_mul(element.bytes()).ok_or(CutShort)?;
        storages.insert(*key, reader.take(length)?);
    }
    Ok(storages)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Float,
    Long,
}

impl Element {
    fn bytes(self) -> usize {
        match self {
            Element::Float => 4,
            Element::Long => 8,
        }
    }
}

/// The names that a state dict needs.
#[derive(Clone, Copy, Debug)]
enum Name {
    OrderedDict,
    RebuildTensor,
    Storage(Element),
}

/// A strided view of a storage.
#[derive(Debug)]
struct View<'a> {
    element: Element,
    storage: &'a str,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl View<'_> {
    /// Copies the elements out, row-major, as far as the budget of elements goes.
    fn gather(&self, storage: &[u8], budget: &mut usize) -> Result<Tensor, PickleError> {
        let count =
            self.shape.iter().try_fold(1usize, |count, &side| count.checked_mul(side)).ok_or(TooLarge)?;
        *budget = budget.checked_sub(count).ok_or(TooLarge)?;
        let outside = Damaged("a tensor reaches outside its storage");
        let mut values = Vec::with_capacity(count);
        let mut index = vec![0usize; self.shape.len()];
        for _ in 0..count {
            let at = index.iter().zip(&self.strides).try_fold(self.offset, |at, (&i, &stride)| {
                i.checked_mul(stride).and_then(|step| at.checked_add(step))
            });
            let start = at.and_then(|at| at.checked_mul(4)).ok_or_else(|| outside.clone())?;
            let bytes =
                storage.get(start..).and_then(|rest| rest.first_chunk()).ok_or_else(|| outside.clone())?;
            values.push(f32::from_le_bytes(*bytes));
            for (i, &side) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < side {
                    break;
                }
                *i = 0;
            }
        }
        Ok(Tensor { shape: self.shape.clone(), values })
    }
}

/// What the stack holds. Values lie in one list and point to each other by index, so that no nesting, however deep,
/// overflows anything.
#[derive(Debug)]
enum Value<'a> {
    /// `None`, booleans, and what became of names that are only called.
    Nothing,
    Int(i64),
    /// The magic number is the only integer this long.
    Long([u8; 10]),
    Text(&'a str),
    Name(Name),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Storage(Element, &'a str),
    Tensor(View<'a>),
}

/// The index of a value.
type Id = usize;

/// The pickle machine.
#[derive(Debug, Default)]
struct Machine<'a> {
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Runs one pickle; its result is then on the stack.
    fn run(reader: &mut Reader<'a>) -> Result<Machine<'a>, PickleError> {
        let mut machine = Machine::default();
        for _ in 0..MOST_INSTRUCTIONS {
            let instruction = reader.byte()?;
            if instruction == b'.' {
                return Ok(machine);
            }
            machine.step(instruction, reader)?;
        }
        Err(TooLarge)
    }

    fn step(&mut self, instruction: u8, reader: &mut Reader<'a>) -> Result<(), PickleError> {
        match instruction {
            0x80 => drop(reader.byte()?), // PROTO
            b'(' => self.marks.push(self.stack.len()),
            b'N' | 0x88 | 0x89 => self.push(Value::Nothing),
            b'K' => self.push(Value::Int(i64::from(reader.byte()?))),
            b'M' => self.push(Value::Int(i64::from(u16::from_le_bytes(reader.array()?)))),
            b'J' => self.push(Value::Int(i64::from(i32::from_le_bytes(reader.array()?)))),
            0x8a => self.long(reader)?,
            b'X' => {
                let length = u32::from_le_bytes(reader.array()?) as usize;
                let text =
                    std::str::from_utf8(reader.take(length)?).map_err(|_| Damaged("a text is not UTF-8"))?;
                self.push(Value::Text(text));
            }
            b'c' => {
                let name = self.name(reader.line()?, reader.line()?)?;
                self.push(Value::Name(name));
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b't' => {
                let items = self.since_mark()?;
                self.push(Value::Tuple(items));
            }
            0x85..=0x87 => {
                let start = self.stack.len().checked_sub(usize::from(instruction - 0x84)).ok_or(EMPTY)?;
                let items = self.stack.split_off(start);
                self.push(Value::Tuple(items));
            }
            b'q' => self.remember(u32::from(reader.byte()?))?,
            b'r' => self.remember(u32::from_le_bytes(reader.array()?))?,
            b'h' => self.recall(u32::from(reader.byte()?))?,
            b'j' => self.recall(u32::from_le_bytes(reader.array()?))?,
            b'Q' => self.storage()?,
            b'R' => self.call()?,
            // State that is set on a built object: a state dict keeps version numbers there.
            b'b' => drop(self.pop()?),
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend_dict(&[key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.extend_dict(&items)?;
            }
            b'e' => {
                let items = self.since_mark()?;
                match self.top()? {
                    Value::List(list) => list.extend(items),
                    _ => return Err(Damaged("it appends to what is no list")),
                }
            }
            other => return Err(Instruction(other)),
        }
        Ok(())
    }

    fn result(&self) -> Result<&Value<'a>, PickleError> {
        self.value(*self.stack.last().ok_or(EMPTY)?)
    }

    fn value(&self, id: Id) -> Result<&Value<'a>, PickleError> {
        self.values.get(id).ok_or(EMPTY)
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        self.stack.pop().ok_or(EMPTY)
    }

    fn top(&mut self) -> Result<&mut Value<'a>, PickleError> {
        self.stack.last().and_then(|&id| self.values.get_mut(id)).ok_or(EMPTY)
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len()).ok_or(EMPTY)?;
        Ok(self.stack.split_off(mark))
    }

    fn remember(&mut self, slot: u32) -> Result<(), PickleError> {
        self.memo.insert(slot, *self.stack.last().ok_or(EMPTY)?);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<(), PickleError> {
        self.stack.push(*self.memo.get(&slot).ok_or(EMPTY)?);
        Ok(())
    }

    fn extend_dict(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let (pairs, []) = items.as_chunks() else { return Err(Damaged("a key has no value")) };
        match self.top()? {
            Value::Dict(entries) => entries.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return Err(Damaged("it sets items of what is no dictionary")),
        }
        Ok(())
    }

    fn long(&mut self, reader: &mut Reader<'a>) -> Result<(), PickleError> {
        let length = usize::from(reader.byte()?);
        let bytes =
            <[u8; 10]>::try_from(reader.take(length)?).map_err(|_| Damaged("it holds a long integer"))?;
        self.push(Value::Long(bytes));
        Ok(())
    }

    fn name(&self, module: &str, name: &str) -> Result<Name, PickleError> {
        match (module, name) {
            ("collections", "OrderedDict") => Ok(Name::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Ok(Name::RebuildTensor),
            ("torch", "FloatStorage") => Ok(Name::Storage(Element::Float)),
            ("torch", "LongStorage") => Ok(Name::Storage(Element::Long)),
            _ => Err(Forbidden(format!("{module}.{name}").chars().take(80).collect())),
        }
    }

    /// `("storage", type, key, location, count, view)` becomes a storage.
    fn storage(&mut self) -> Result<(), PickleError> {
        const ODD: PickleError = Damaged("a storage is not described as torch does");
        let id = self.pop()?;
        let Value::Tuple(fields) = self.value(id)? else { return Err(ODD) };
        let &[_, element, key, ..] = fields.as_slice() else { return Err(ODD) };
        match (self.value(element)?, self.value(key)?) {
            (&Value::Name(Name::Storage(element)), &Value::Text(key)) => {
                self.push(Value::Storage(element, key))
            }
            _ => return Err(ODD),
        }
        Ok(())
    }

    fn call(&mut self) -> Result<(), PickleError> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let (Value::Name(name), Value::Tuple(arguments)) = (self.value(function)?, self.value(arguments)?)
        else {
            return Err(Damaged("it calls what is no function"));
        };
        let made = match name {
            Name::OrderedDict if arguments.is_empty() => Value::Dict(Vec::new()),
            Name::RebuildTensor => Value::Tensor(self.view(arguments)?),
            _ => return Err(Damaged("a call has other arguments than torch's")),
        };
        self.push(made);
        Ok(())
    }

    /// The tensor of `(storage, offset, shape, strides, …)`.
    fn view(&self, arguments: &[Id]) -> Result<View<'a>, PickleError> {
        const ODD: PickleError = Damaged("a tensor is not described as torch does");
        let &[storage, offset, shape, strides, ..] = arguments else { return Err(ODD) };
        let &Value::Storage(element, storage) = self.value(storage)? else { return Err(ODD) };
        let count = |&id: &Id| match self.value(id)? {
            Value::Int(value) => usize::try_from(*value).map_err(|_| ODD),
            _ => Err(ODD),
        };
        let counts = |id| match self.value(id)? {
            Value::Tuple(items) if items.len() <= 8 => items.iter().map(count).collect::<Result<Vec<_>, _>>(),
            _ => Err(ODD),
        };
        let (shape, strides) = (counts(shape)?, counts(strides)?);
        if shape.len() != strides.len() {
            return Err(ODD);
        }
        Ok(View { element, storage, offset: count(&offset)?, shape, strides })
    }
}

const EMPTY: PickleError = Damaged("it takes what was never put there");

/// The bytes that are still to be read.
#[derive(Debug)]
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(CutShort)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(CutShort)?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, PickleError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn line(&mut self) -> Result<&'a str, PickleError> {
        let end = self.bytes.iter().position(|&byte| byte == b'\n').ok_or(CutShort)?;
        let line = self.take(end)?;
        self.byte()?;
        std::str::from_utf8(line).map_err(|_| Damaged("a name is not UTF-8"))
    }
}

#[cfg(test)]
mod tests;
