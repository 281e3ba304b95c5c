//! The copy that a fork makes of a function and all that it reaches.

use std::collections::BTreeMap;
use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::{Error, Function, Lua, MultiValue, Table, Value};

use crate::record::Record;
use crate::state::State;

/// A function and its arguments, encoded so that any Lua state can make them again.
pub(crate) struct Image {
    nodes: Vec<Node>,
    /// The values of upvalues, which functions may share.
    cells: Vec<Item>,
    function: Item,
    args: Vec<Item>,
}

/// A value without identity, or a reference to one that has.
#[derive(Clone)]
enum Item {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Vec<u8>),
    /// What all processes share, by name.
    Shared(String),
    /// The table of the process's own globals.
    Globals,
    Node(usize),
}

/// A table or a function of the program's.
enum Node {
    Table { entries: Vec<(Item, Item)>, metatable: Item },
    Function { code: Vec<u8>, upvalues: Vec<usize> },
}

impl Image {
    /// Copies what `function` and `args` reach. Nothing is changed.
    ///
    /// # Errors
    ///
    /// A runtime error that names what can't be copied; a memory error.
    pub(crate) fn encode(
        state: &State,
        record: &Record,
        function: &Function,
        args: &MultiValue,
    ) -> mlua::Result<Image> {
        let mut encoder = Encoder {
            state,
            globals: record.globals.to_pointer() as usize,
            numbers: BTreeMap::new(),
            cell_numbers: BTreeMap::new(),
            found: Vec::new(),
            cells: Vec::new(),
        };
        let function = encoder.item(&Value::Function(function.clone()))?;
        let args = args.iter().map(|arg| encoder.item(arg)).collect::<mlua::Result<_>>()?;
        // What is found on the way is added to `found`: a walk without recursion, however deep.
        let mut nodes = Vec::new();
        while let Some(value) = encoder.found.get(nodes.len()).cloned() {
            nodes.push(encoder.node(&value)?);
        }
        Ok(Image { nodes, cells: encoder.cells, function, args })
    }

    /// Makes the function and its arguments again in a state.
    ///
    /// # Errors
    ///
    /// A memory error.
    pub(crate) fn decode(
        self,
        state: &State,
        record: &Rc<Record>,
    ) -> mlua::Result<(Function, MultiValue)> {
        let lua = &state.lua;
        let made =
            self.nodes.iter().map(|node| make(lua, node)).collect::<mlua::Result<Vec<_>>>()?;
        let decoder = Decoder { state, record, made };
        for (node, value) in self.nodes.iter().zip(&decoder.made) {
            if let (Node::Table { entries, metatable }, Value::Table(table)) = (node, value) {
                decoder.fill(table, entries, metatable)?;
            }
        }
        decoder.join(&self.nodes, &self.cells)?;
        let args = self.args.iter().map(|arg| decoder.value(arg)).collect::<mlua::Result<_>>()?;
        match decoder.value(&self.function)? {
            Value::Function(function) => Ok((function, args)),
            _ => Err(Error::runtime("the forked value is no function")),
        }
    }
}

struct Encoder<'a> {
    state: &'a State,
    globals: usize,
    numbers: BTreeMap<usize, usize>,
    cell_numbers: BTreeMap<usize, usize>,
    found: Vec<Value>,
    cells: Vec<Item>,
}

impl Encoder<'_> {
    fn item(&mut self, value: &Value) -> mlua::Result<Item> {
        Ok(match value {
            Value::Nil => Item::Nil,
            Value::Boolean(truth) => Item::Bool(*truth),
            Value::Integer(int) => Item::Int(*int),
            Value::Number(float) => Item::Float(*float),
            Value::String(text) => Item::Text(text.as_bytes().to_vec()),
            Value::Table(table) if table.to_pointer() as usize == self.globals => Item::Globals,
            Value::Table(_) | Value::Function(_) => {
                match self.state.prelude.values.raw_get::<Option<String>>(value)? {
                    Some(name) => Item::Shared(name),
                    None => Item::Node(self.number(value)?),
                }
            }
            Value::Thread(_) => return Err(Error::runtime("cannot fork: it reaches a coroutine")),
            _ => return Err(Error::runtime("cannot fork: it reaches a value of the host's")),
        })
    }

    fn number(&mut self, value: &Value) -> mlua::Result<usize> {
        let pointer = value.to_pointer() as usize;
        if let Some(&number) = self.numbers.get(&pointer) {
            return Ok(number);
        }
        if let Value::Function(function) = value
            && function.info().what == "C"
        {
            return Err(Error::runtime("cannot fork: it reaches a built-in iterator"));
        }
        self.numbers.insert(pointer, self.found.len());
        self.found.push(value.clone());
        Ok(self.found.len() - 1)
    }

    fn node(&mut self, value: &Value) -> mlua::Result<Node> {
        match value {
            Value::Table(table) => {
                let mut entries = Vec::new();
                for pair in table.pairs::<Value, Value>() {
                    let (key, value) = pair?;
                    entries.push((self.item(&key)?, self.item(&value)?));
                }
                let metatable = match table.metatable() {
                    Some(metatable) => self.item(&Value::Table(metatable))?,
                    None => Item::Nil,
                };
                Ok(Node::Table { entries, metatable })
            }
            Value::Function(function) => {
                let code = function.dump(false);
                Ok(Node::Function { code, upvalues: self.upvalues(function)? })
            }
            _ => Err(Error::runtime("cannot fork: a node is neither table nor function")),
        }
    }

    fn upvalues(&mut self, function: &Function) -> mlua::Result<Vec<usize>> {
        let debug = &self.state.prelude.debug;
        let mut upvalues = Vec::new();
        for i in 1.. {
            let (name, value): (Value, Value) = debug.getupvalue.call((function, i))?;
            if name.is_nil() {
                break;
            }
            let id: Value = debug.upvalueid.call((function, i))?;
            let id = id.to_pointer() as usize;
            let cell = match self.cell_numbers.get(&id) {
                Some(&cell) => cell,
                None => {
                    let item = self.item(&value)?;
                    self.cell_numbers.insert(id, self.cells.len());
                    self.cells.push(item);
                    self.cells.len() - 1
                }
            };
            upvalues.push(cell);
        }
        Ok(upvalues)
    }
}

/// The table or function of a node, still empty.
fn make(lua: &Lua, node: &Node) -> mlua::Result<Value> {
    match node {
        Node::Table { entries, .. } => {
            Ok(Value::Table(lua.create_table_with_capacity(0, entries.len())?))
        }
        Node::Function { code, .. } => {
            let chunk = lua.load(code.as_slice()).set_mode(ChunkMode::Binary);
            Ok(Value::Function(chunk.into_function()?))
        }
    }
}

struct Decoder<'a> {
    state: &'a State,
    record: &'a Record,
    made: Vec<Value>,
}

impl Decoder<'_> {
    fn value(&self, item: &Item) -> mlua::Result<Value> {
        Ok(match item {
            Item::Nil => Value::Nil,
            Item::Bool(truth) => Value::Boolean(*truth),
            Item::Int(int) => Value::Integer(*int),
            Item::Float(float) => Value::Number(*float),
            Item::Text(text) => Value::String(self.state.lua.create_string(text)?),
            Item::Shared(name) => self.state.prelude.names.raw_get(name.as_str())?,
            Item::Globals => Value::Table(self.record.globals.clone()),
            Item::Node(number) => self.made[*number].clone(),
        })
    }

    fn fill(&self, table: &Table, entries: &[(Item, Item)], metatable: &Item) -> mlua::Result<()> {
        for (key, value) in entries {
            table.raw_set(self.value(key)?, self.value(value)?)?;
        }
        if let Value::Table(metatable) = self.value(metatable)? {
            table.set_metatable(Some(metatable))?;
        }
        Ok(())
    }

    /// Gives functions their upvalues. The first that has a cell sets it, the others join it.
    fn join(&self, nodes: &[Node], cells: &[Item]) -> mlua::Result<()> {
        let debug = &self.state.prelude.debug;
        let mut owners: Vec<Option<(&Value, usize)>> = vec![None; cells.len()];
        for (node, function) in nodes.iter().zip(&self.made) {
            let Node::Function { upvalues, .. } = node else { continue };
            for (i, &cell) in upvalues.iter().enumerate() {
                let index = i + 1;
                match owners[cell] {
                    Some((owner, at)) => {
                        debug.upvaluejoin.call::<()>((function, index, owner, at))?;
                    }
                    None => {
                        let value = self.value(&cells[cell])?;
                        debug.setupvalue.call::<()>((function, index, value))?;
                        owners[cell] = Some((function, index));
                    }
                }
            }
        }
        Ok(())
    }
}
