//! The grammar of a Moonshine graph: what its parts look like after export and quantization.
//!
//! The exporter wrote every layer as some ninety small operations. Each rule here reads one
//! part backwards from the value that it makes, checks every operation on the way, and gives
//! what the part is made of. A graph of another shape is refused with the node where it
//! parts from the grammar, instead of being run as something that it is not.
//!
//! What was read can be written down without its weights and names: where those are shared,
//! that is all that is needed to build the model again.

use earnest_kernels::Heads;
use serde::{Deserialize, Serialize};

use super::onnx::Graph;
use crate::LoadError;

/// A layer normalisation without a bias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Norm {
    pub(super) weight: Vec<f32>,
    pub(super) epsilon: f32,
}

/// A group normalisation with one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct GroupNorm {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) epsilon: f32,
}

/// A product of dynamically quantized activations and weights of eight bits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Linear<'a> {
    /// The value that is quantized and multiplied.
    #[serde(skip)]
    pub(super) input: &'a str,
    /// `[depth, columns]`.
    #[serde(skip)]
    pub(super) weights: &'a [u8],
    pub(super) depth: usize,
    pub(super) columns: usize,
    pub(super) scale: f32,
    pub(super) zero_point: u8,
    pub(super) bias: Option<Vec<f32>>,
}

/// A convolution over time whose weights are bytes: `scale * byte + offset`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Convolution<'a> {
    #[serde(skip)]
    pub(super) input: &'a str,
    /// `[outputs, inputs, kernel]`, each byte moved by 128.
    #[serde(skip)]
    pub(super) weights: Vec<u8>,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    pub(super) kernel: usize,
    pub(super) step: usize,
    pub(super) scale: f32,
    pub(super) offset: f32,
    pub(super) bias: Option<Vec<f32>>,
}

/// Queries, keys and values of one attention, and where its output is projected.
#[derive(Serialize, Deserialize)]
pub(super) struct Attention<'a> {
    pub(super) query: Linear<'a>,
    pub(super) key: Linear<'a>,
    pub(super) value: Linear<'a>,
    pub(super) heads: Heads,
    pub(super) frequencies: Vec<f32>,
}

/// `x + f(x)`: the value that goes around, and the one that is added to it.
pub(super) struct Residual<'a> {
    pub(super) around: &'a str,
    pub(super) through: &'a str,
}

impl<'a> Graph<'a> {
    /// `weight * (x - mean) / sqrt(mean of squares + epsilon)`; gives `x`.
    pub(super) fn norm(&self, value: &str) -> Result<(&'a str, Norm), LoadError> {
        let [ratio, weight] = self.inputs(value, "Mul")?;
        let [centred, deviation] = self.inputs(ratio, "Div")?;
        let [input, mean] = self.inputs(centred, "Sub")?;
        let [of_mean] = self.inputs(mean, "ReduceMean")?;
        self.require(mean, "axes", &[-1])?;
        self.same(of_mean, input)?;
        let [sum] = self.inputs(deviation, "Sqrt")?;
        let [variance, epsilon] = self.inputs(sum, "Add")?;
        let [squares] = self.inputs(variance, "ReduceMean")?;
        self.require(variance, "axes", &[-1])?;
        let [of_squares, exponent] = self.inputs(squares, "Pow")?;
        self.same(of_squares, centred)?;
        self.number(exponent, 2.0)?;
        let epsilon = self.float(epsilon)?;
        Ok((
            input,
            Norm {
                weight: self.floats(weight)?.1,
                epsilon,
            },
        ))
    }

    /// A product, with a bias where one is added.
    pub(super) fn linear(&self, value: &str) -> Result<Linear<'a>, LoadError> {
        if self.operation(value) == Some("Add") {
            let [bias, product] = self.inputs(value, "Add")?;
            let mut linear = self.product(product)?;
            linear.bias = Some(self.vector(bias, linear.columns)?);
            return Ok(linear);
        }
        self.product(value)
    }

    fn product(&self, value: &str) -> Result<Linear<'a>, LoadError> {
        let [cast, scales] = self.inputs(value, "Mul")?;
        let [sums] = self.inputs(cast, "Cast")?;
        let [quantized, weights, input_zero, weight_zero] = self.inputs(sums, "MatMulInteger")?;
        let [input_scale, weight_scale] = self.inputs(scales, "Mul")?;
        let [input] = self.inputs(quantized, "DynamicQuantizeLinear")?;
        let node = self.node(quantized, "DynamicQuantizeLinear")?;
        let [of_bytes, of_scale, of_zero] = node.output.as_slice() else {
            return Err(self.unexpected(quantized, "three outputs", node.output.len().to_string()));
        };
        self.same(quantized, of_bytes)?;
        self.same(input_scale, of_scale)?;
        self.same(input_zero, of_zero)?;
        let (shape, weights) = self.bytes(weights)?;
        let &[depth, columns] = shape.as_slice() else {
            return Err(self.unexpected(value, "a matrix", format!("{shape:?}")));
        };
        if depth == 0 || columns == 0 {
            return Err(self.unexpected(value, "a matrix", format!("{shape:?}")));
        }
        Ok(Linear {
            input,
            weights,
            depth,
            columns,
            scale: self.float(weight_scale)?,
            zero_point: self.byte(weight_zero)?,
            bias: None,
        })
    }

    /// The sum of what goes around a layer's part and what goes through it. The exporter puts
    /// the one that goes around first.
    pub(super) fn residual(&self, value: &str) -> Result<Residual<'a>, LoadError> {
        let [around, through] = self.inputs(value, "Add")?;
        Ok(Residual { around, through })
    }

    /// The exact GELU: `0.5 * x * (1 + erf(x / sqrt(2)))`; gives `x`.
    pub(super) fn gelu(&self, value: &str) -> Result<&'a str, LoadError> {
        let [product, half] = self.inputs(value, "Mul")?;
        self.number(half, 0.5)?;
        let [input, sum] = self.inputs(product, "Mul")?;
        let [erf, one] = self.inputs(sum, "Add")?;
        self.number(one, 1.0)?;
        let [ratio] = self.inputs(erf, "Erf")?;
        let [of_ratio, root] = self.inputs(ratio, "Div")?;
        self.number(root, std::f32::consts::SQRT_2)?;
        self.same(of_ratio, input)?;
        Ok(input)
    }

    /// SwiGLU of two halves of one product; gives the product.
    pub(super) fn swiglu(&self, value: &str) -> Result<&'a str, LoadError> {
        let [gated, values] = self.inputs(value, "Mul")?;
        let [gate, sigmoid] = self.inputs(gated, "Mul")?;
        let [of_sigmoid] = self.inputs(sigmoid, "Sigmoid")?;
        self.same(of_sigmoid, gate)?;
        let [product, first, middle, _] = self.inputs(values, "Slice")?;
        let [of_gate, start, end, _] = self.inputs(gate, "Slice")?;
        self.same(of_gate, product)?;
        let (first, middle) = (self.integers(first)?, self.integers(middle)?);
        let (start, end) = (self.integers(start)?, self.integers(end)?);
        let halves = first == [0] && start == middle && end == [2 * middle[0]];
        if halves {
            Ok(product)
        } else {
            Err(self.unexpected(value, "two halves", "other parts"))
        }
    }

    /// A convolution over time without padding.
    pub(super) fn convolution(&self, value: &str) -> Result<Convolution<'a>, LoadError> {
        let node = self.node(value, "Conv")?;
        self.require(value, "dilations", &[1])?;
        self.require(value, "group", &[1])?;
        self.require(value, "pads", &[0, 0])?;
        let step = self.attribute(value, "strides")?;
        let (input, weights, bias) = match node.input.as_slice() {
            [input, weights] => (input, weights, None),
            [input, weights, bias] => (input, weights, Some(bias)),
            inputs => {
                let found = inputs.len().to_string();
                return Err(self.unexpected(value, "2 or 3 inputs", found));
            }
        };
        let [scaled, offset] = self.inputs(weights, "Add")?;
        let [cast, scale] = self.inputs(scaled, "Mul")?;
        let [bytes] = self.inputs(cast, "Cast")?;
        let (shape, weights) = self.signed_bytes(bytes)?;
        let (&[outputs, inputs, kernel], &[step]) = (shape.as_slice(), step.as_slice()) else {
            return Err(self.unexpected(value, "a convolution over time", format!("{shape:?}")));
        };
        let step = usize::try_from(step).ok().filter(|&step| step > 0);
        let step = step.ok_or_else(|| self.unexpected(value, "a positive stride", "another"))?;
        let bias = bias.map(|bias| self.vector(bias, outputs)).transpose()?;
        let (scale, offset) = (self.float(scale)?, self.float(offset)?);
        Ok(Convolution {
            input,
            weights,
            outputs,
            inputs,
            kernel,
            step,
            scale,
            offset,
            bias,
        })
    }

    /// Group normalisation with one group; gives its input.
    pub(super) fn group_norm(&self, value: &str) -> Result<(&'a str, GroupNorm), LoadError> {
        let [scaled, bias] = self.inputs(value, "Add")?;
        let [shaped, weight] = self.inputs(scaled, "Mul")?;
        let normed = self.input(shaped, "Reshape")?;
        let [flat, one, zero] = self.inputs(normed, "InstanceNormalization")?;
        self.number(one, 1.0)?;
        self.number(zero, 0.0)?;
        let epsilon = self
            .node(normed, "InstanceNormalization")?
            .attribute
            .iter()
            .find(|attribute| attribute.name == "epsilon")
            .map(|attribute| attribute.f)
            .ok_or_else(|| self.unexpected(normed, "an epsilon", "none"))?;
        let input = self.input(flat, "Reshape")?;
        let (_, weight) = self.floats(weight)?;
        let bias = self.vector(bias, weight.len())?;
        let norm = GroupNorm {
            weight,
            bias,
            epsilon,
        };
        Ok((input, norm))
    }

    /// Attention of rows to themselves, with rotary positions. `cached`: keys and values come
    /// after those of the past, and a mask is added.
    pub(super) fn self_attention(
        &self,
        value: &str,
        cached: bool,
    ) -> Result<Attention<'a>, LoadError> {
        let (scores, values) = self.weighted_sum(value)?;
        let scores = if cached {
            self.inputs::<2>(scores, "Add")?[0]
        } else {
            scores
        };
        let [queries, keys] = self.inputs(scores, "MatMul")?;
        let [queries, _] = self.inputs(queries, "Mul")?;
        let [keys, _] = self.inputs(keys, "Mul")?;
        let keys = self.transposed(keys, &[0, 1, 3, 2])?;
        let (keys, values) = if cached {
            (self.after_past(keys)?, self.after_past(values)?)
        } else {
            (keys, values)
        };
        let (query, query_heads, frequencies) = self.turned(queries)?;
        let (key, key_heads, of_key) = self.turned(keys)?;
        let (value_rows, value_heads) = self.heads(values)?;
        if query_heads != key_heads || key_heads != value_heads || frequencies != of_key {
            return Err(self.unexpected(value, "queries, keys and values alike", "others"));
        }
        Ok(Attention {
            query: self.linear(query)?,
            key: self.linear(key)?,
            value: self.linear(value_rows)?,
            heads: query_heads,
            frequencies,
        })
    }

    /// Attention to the encoder's output in the cached step, whose keys and values are the
    /// inputs of layer `layer`; gives the queries.
    pub(super) fn cross_attention(
        &self,
        value: &str,
        layer: usize,
    ) -> Result<(Linear<'a>, Heads), LoadError> {
        let (scores, values) = self.weighted_sum(value)?;
        self.same(values, &format!("past_key_values.{layer}.encoder.value"))?;
        let [queries, keys] = self.inputs(scores, "MatMul")?;
        let [keys, _] = self.inputs(keys, "Mul")?;
        let keys = self.transposed(keys, &[0, 1, 3, 2])?;
        self.same(keys, &format!("past_key_values.{layer}.encoder.key"))?;
        let [queries, _] = self.inputs(queries, "Mul")?;
        let (query, heads) = self.heads(queries)?;
        Ok((self.linear(query)?, heads))
    }

    /// Keys or values of the encoder's output, as the first step makes them.
    pub(super) fn memory(&self, value: &str) -> Result<(Linear<'a>, Heads), LoadError> {
        let (rows, heads) = self.heads(value)?;
        let linear = self.linear(rows)?;
        self.same(linear.input, "encoder_hidden_states")?;
        Ok((linear, heads))
    }

    /// `reshape(transpose(softmax(scores) * values))`; gives scores and values.
    fn weighted_sum(&self, value: &str) -> Result<(&'a str, &'a str), LoadError> {
        let sums = self.input(value, "Reshape")?;
        let sums = self.transposed(sums, &[0, 2, 1, 3])?;
        let [weights, values] = self.inputs(sums, "MatMul")?;
        let [scores] = self.inputs(weights, "Softmax")?;
        self.require(weights, "axis", &[-1])?;
        Ok((scores, values))
    }

    /// What is put after the past along time.
    fn after_past(&self, value: &str) -> Result<&'a str, LoadError> {
        let [past, next] = self.inputs(value, "Concat")?;
        self.require(value, "axis", &[-2])?;
        match self.operation(past) {
            None => Ok(next),
            Some(operation) => Err(self.unexpected(past, "an input", operation)),
        }
    }

    fn transposed(&self, value: &str, order: &[i64]) -> Result<&'a str, LoadError> {
        let [input] = self.inputs(value, "Transpose")?;
        self.require(value, "perm", order)?;
        Ok(input)
    }

    /// Rows split into heads: `transpose(reshape(rows))`; gives the rows.
    fn heads(&self, value: &str) -> Result<(&'a str, Heads), LoadError> {
        let shaped = self.transposed(value, &[0, 2, 1, 3])?;
        let [rows, shape] = self.inputs(shaped, "Reshape")?;
        let [_, _, count, size] = self.inputs(shape, "Concat")?;
        let (count, size) = (self.integers(count)?, self.integers(size)?);
        match (count.as_slice(), size.as_slice()) {
            (&[count @ 1..=64], &[size @ 1..=64]) => Ok((
                rows,
                Heads {
                    count: count as usize,
                    size: size as usize,
                },
            )),
            _ => Err(self.unexpected(
                shape,
                "up to 64 heads of up to 64 dimensions",
                format!("{count:?} of {size:?}"),
            )),
        }
    }

    /// Heads turned to their positions: the first dimensions rotated in neighbouring pairs,
    /// the others as they are.
    fn turned(&self, value: &str) -> Result<(&'a str, Heads, Vec<f32>), LoadError> {
        let [turned, rest] = self.inputs(value, "Concat")?;
        let [by_cosine, by_sine] = self.inputs(turned, "Add")?;
        let [part, cosine] = self.inputs(by_cosine, "Mul")?;
        let [heads, start, end, _, _] = self.inputs(part, "Slice")?;
        let [of_rest, rest_start, _, _, _] = self.inputs(rest, "Slice")?;
        self.same(of_rest, heads)?;
        let end = self.integers(end)?;
        if self.integers(start)? != [0] || self.integers(rest_start)? != end {
            return Err(self.unexpected(value, "a leading part and the rest", "other parts"));
        }
        let [crossed, sine] = self.inputs(by_sine, "Mul")?;
        self.crossed_pairs(self.input(crossed, "Reshape")?, part)?;
        let frequencies = self.frequencies(cosine, "Cos")?;
        if frequencies != self.frequencies(sine, "Sin")? || end != [2 * frequencies.len() as i64] {
            return Err(self.unexpected(value, "one angle for each pair", "others"));
        }
        let (rows, heads) = self.heads(heads)?;
        if 2 * frequencies.len() > heads.size {
            return Err(self.unexpected(value, "pairs within a head", "more"));
        }
        Ok((rows, heads, frequencies))
    }

    /// `(-odd, even)` of each neighbouring pair of `part`.
    fn crossed_pairs(&self, value: &str, part: &str) -> Result<(), LoadError> {
        let [negated, even] = self.inputs(value, "Concat")?;
        let [odd] = self.inputs(self.input(negated, "Unsqueeze")?, "Neg")?;
        for (half, first) in [(odd, 1), (self.input(even, "Unsqueeze")?, 0)] {
            let [of_half, start, _, _, step] = self.inputs(half, "Slice")?;
            self.same(of_half, part)?;
            if self.integers(start)? != [first] || self.integers(step)? != [2] {
                return Err(self.unexpected(half, "every second dimension", "others"));
            }
        }
        Ok(())
    }

    /// The frequencies of an angle's table: positions times a constant, each twice.
    fn frequencies(&self, value: &str, function: &str) -> Result<Vec<f32>, LoadError> {
        let table = self.input(value, "Unsqueeze")?;
        let [angles] = self.inputs(table, function)?;
        let [pair, again] = self.inputs(self.input(angles, "Reshape")?, "Concat")?;
        let angles = self.input(pair, "Unsqueeze")?;
        self.same(self.input(again, "Unsqueeze")?, angles)?;
        let [frequencies, positions] =
            self.inputs(self.transposed(angles, &[0, 2, 1])?, "MatMul")?;
        self.node(positions, "Cast")?;
        Ok(self.floats(frequencies)?.1)
    }

    /// A constant vector of a known length.
    fn vector(&self, value: &str, length: usize) -> Result<Vec<f32>, LoadError> {
        let (_, floats) = self.floats(value)?;
        if floats.len() == length {
            return Ok(floats);
        }
        Err(self.unexpected(value, length.to_string(), floats.len().to_string()))
    }

    /// Requires a constant of one known number.
    fn number(&self, value: &str, wanted: f32) -> Result<(), LoadError> {
        let found = self.float(value)?;
        if (found - wanted).abs() <= 1e-6 * wanted.abs() {
            return Ok(());
        }
        Err(self.unexpected(value, wanted.to_string(), found.to_string()))
    }
}
