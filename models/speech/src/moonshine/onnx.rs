//! An ONNX graph as it is read: producers by value, constants by name, and steps backwards
//! that say what they expected and what they found.

use std::collections::HashMap;

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::Framework;

use crate::LoadError;

/// The most that one model file may hold: several times the largest one that is known, so
/// that a hostile file cannot fill the memory.
const MOST_BYTES: usize = 512 << 20;

/// Parses an ONNX file.
pub(super) fn parse(what: &'static str, bytes: &[u8]) -> Result<pb::ModelProto, LoadError> {
    let not_onnx = |reason: String| LoadError::NotOnnx { what, reason };
    if bytes.len() > MOST_BYTES {
        return Err(not_onnx(format!(
            "{} bytes are more than {MOST_BYTES}",
            bytes.len()
        )));
    }
    let mut reader = bytes;
    tract_onnx::onnx()
        .proto_model_for_read(&mut reader)
        .map_err(|error| not_onnx(format!("{error:#}")))
}

/// The constants of a file, by name.
pub(super) type Constants<'a> = HashMap<&'a str, &'a pb::TensorProto>;

/// The constants of a graph. The branches of the merged decoder use those of the main graph.
pub(super) fn constants(graph: &pb::GraphProto) -> Constants<'_> {
    graph
        .initializer
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor))
        .collect()
}

/// One graph, walked from its outputs to its inputs.
pub(super) struct Graph<'a> {
    name: &'static str,
    producers: HashMap<&'a str, &'a pb::NodeProto>,
    constants: &'a Constants<'a>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(
        name: &'static str,
        graph: &'a pb::GraphProto,
        constants: &'a Constants<'a>,
    ) -> Graph<'a> {
        let producers = graph
            .node
            .iter()
            .flat_map(|node| {
                node.output
                    .iter()
                    .map(move |output| (output.as_str(), node))
            })
            .collect();
        Graph {
            name,
            producers,
            constants,
        }
    }

    /// The refusal of this graph.
    pub(super) fn unexpected(
        &self,
        node: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> LoadError {
        LoadError::UnexpectedGraph {
            graph: self.name,
            node: node.to_owned(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// The operation that makes `value`, where one does.
    pub(super) fn operation(&self, value: &str) -> Option<&'a str> {
        self.producers.get(value).map(|node| node.op_type.as_str())
    }

    /// The inputs of the node that makes `value`, which must be an `operation` of `N` inputs.
    pub(super) fn inputs<const N: usize>(
        &self,
        value: &str,
        operation: &str,
    ) -> Result<[&'a str; N], LoadError> {
        let node = self.node(value, operation)?;
        let inputs: Vec<&str> = node.input.iter().map(String::as_str).collect();
        inputs.as_slice().try_into().map_err(|_| {
            self.unexpected(
                value,
                format!("{operation} of {N}"),
                format!("of {}", inputs.len()),
            )
        })
    }

    /// The first input of the node that makes `value`, which must be an `operation`.
    pub(super) fn input(&self, value: &str, operation: &str) -> Result<&'a str, LoadError> {
        let node = self.node(value, operation)?;
        node.input
            .first()
            .map(String::as_str)
            .ok_or_else(|| self.unexpected(value, "an input", "none"))
    }

    /// The node that makes `value`, which must be an `operation`.
    pub(super) fn node(
        &self,
        value: &str,
        operation: &str,
    ) -> Result<&'a pb::NodeProto, LoadError> {
        match self.producers.get(value) {
            Some(node) if node.op_type == operation => Ok(node),
            Some(node) => Err(self.unexpected(value, operation, node.op_type.as_str())),
            None => Err(self.unexpected(value, operation, "an input or a constant")),
        }
    }

    /// Requires that two paths meet in one value.
    pub(super) fn same(&self, value: &str, other: &str) -> Result<(), LoadError> {
        if value == other {
            return Ok(());
        }
        Err(self.unexpected(value, format!("the same value as {other}"), "another"))
    }

    fn constant(&self, value: &str) -> Result<&'a pb::TensorProto, LoadError> {
        let found = || self.operation(value).unwrap_or("an input").to_owned();
        self.constants
            .get(value)
            .copied()
            .ok_or_else(|| self.unexpected(value, "a constant", found()))
    }

    /// A constant of f32, with its shape.
    pub(super) fn floats(&self, value: &str) -> Result<(Vec<usize>, Vec<f32>), LoadError> {
        let tensor = self.typed(value, DataType::Float)?;
        let floats = if tensor.raw_data.is_empty() {
            tensor.float_data.clone()
        } else {
            let (words, _) = tensor.raw_data.as_chunks::<4>();
            words.iter().map(|word| f32::from_le_bytes(*word)).collect()
        };
        let shape = self.shape(value, tensor, floats.len())?;
        Ok((shape, floats))
    }

    /// A constant of one f32.
    pub(super) fn float(&self, value: &str) -> Result<f32, LoadError> {
        match self.floats(value)?.1.as_slice() {
            [float] => Ok(*float),
            floats => Err(self.unexpected(value, "one number", format!("{}", floats.len()))),
        }
    }

    /// A constant of whole numbers.
    pub(super) fn integers(&self, value: &str) -> Result<Vec<i64>, LoadError> {
        let tensor = self.typed(value, DataType::Int64)?;
        if tensor.raw_data.is_empty() {
            return Ok(tensor.int64_data.clone());
        }
        let (words, _) = tensor.raw_data.as_chunks::<8>();
        Ok(words.iter().map(|word| i64::from_le_bytes(*word)).collect())
    }

    /// A constant of unsigned bytes, with its shape, borrowed from the file.
    pub(super) fn bytes(&self, value: &str) -> Result<(Vec<usize>, &'a [u8]), LoadError> {
        let tensor = self.typed(value, DataType::Uint8)?;
        let shape = self.shape(value, tensor, tensor.raw_data.len())?;
        Ok((shape, &tensor.raw_data))
    }

    /// A constant of signed bytes, each moved by 128 so that it is unsigned.
    pub(super) fn signed_bytes(&self, value: &str) -> Result<(Vec<usize>, Vec<u8>), LoadError> {
        let tensor = self.typed(value, DataType::Int8)?;
        let shape = self.shape(value, tensor, tensor.raw_data.len())?;
        Ok((
            shape,
            tensor.raw_data.iter().map(|byte| byte ^ 0x80).collect(),
        ))
    }

    /// A constant of one unsigned byte.
    pub(super) fn byte(&self, value: &str) -> Result<u8, LoadError> {
        let tensor = self.typed(value, DataType::Uint8)?;
        match (tensor.raw_data.as_slice(), tensor.int32_data.as_slice()) {
            ([byte], []) => Ok(*byte),
            ([], [number]) => u8::try_from(*number)
                .map_err(|_| self.unexpected(value, "a byte", number.to_string())),
            _ => Err(self.unexpected(value, "one byte", "another number of them")),
        }
    }

    fn typed(&self, value: &str, wanted: DataType) -> Result<&'a pb::TensorProto, LoadError> {
        let tensor = self.constant(value)?;
        if tensor.data_type == wanted as i32 {
            return Ok(tensor);
        }
        let found = DataType::try_from(tensor.data_type)
            .map_or_else(|_| tensor.data_type.to_string(), |kind| format!("{kind:?}"));
        Err(self.unexpected(value, format!("{wanted:?}"), found))
    }

    /// The shape of a constant, which its data must fill.
    fn shape(
        &self,
        value: &str,
        tensor: &pb::TensorProto,
        elements: usize,
    ) -> Result<Vec<usize>, LoadError> {
        let shape: Option<Vec<usize>> = tensor
            .dims
            .iter()
            .map(|&dimension| usize::try_from(dimension).ok())
            .collect();
        let product = shape
            .as_ref()
            .and_then(|shape| shape.iter().try_fold(1_usize, |a, &b| a.checked_mul(b)));
        match shape {
            Some(shape) if product == Some(elements) => Ok(shape),
            _ => Err(self.unexpected(
                value,
                format!("a shape of {elements} elements"),
                format!("{:?}", tensor.dims),
            )),
        }
    }

    /// Whole-number attribute of the node that makes `value`.
    pub(super) fn attribute(&self, value: &str, name: &str) -> Result<Vec<i64>, LoadError> {
        let node = self.producers.get(value);
        let attribute = node.and_then(|node| {
            node.attribute
                .iter()
                .find(|attribute| attribute.name == name)
        });
        match attribute {
            Some(attribute) if attribute.ints.is_empty() => Ok(vec![attribute.i]),
            Some(attribute) => Ok(attribute.ints.clone()),
            None => Err(self.unexpected(value, format!("an attribute {name}"), "none")),
        }
    }

    /// Requires a whole-number attribute.
    pub(super) fn require(&self, value: &str, name: &str, wanted: &[i64]) -> Result<(), LoadError> {
        let found = self.attribute(value, name)?;
        if found == wanted {
            return Ok(());
        }
        Err(self.unexpected(value, format!("{name} = {wanted:?}"), format!("{found:?}")))
    }
}

/// The two branches of the merged decoder's `If`: the cached step (`then`, taken when
/// `use_cache_branch`) and the first step (`else`).
pub(super) fn branches(
    graph: &pb::GraphProto,
) -> Result<(&pb::GraphProto, &pb::GraphProto), LoadError> {
    let refuse = |expected: &str, found: String| LoadError::UnexpectedGraph {
        graph: "decoder",
        node: graph.name.clone(),
        expected: expected.to_owned(),
        found,
    };
    let [node] = graph.node.as_slice() else {
        return Err(refuse("one If", format!("{} nodes", graph.node.len())));
    };
    let branch = |name: &str| {
        node.attribute
            .iter()
            .find(|attribute| attribute.name == name)
            .and_then(|attribute| attribute.g.as_ref())
            .ok_or_else(|| refuse(name, format!("{} without it", node.op_type)))
    };
    Ok((branch("then_branch")?, branch("else_branch")?))
}
