//! Arithmetic on small tensors, exactly as the operators define it: integers that do not fit their
//! type are unknown, floating point numbers are rounded to theirs.

use half::{bf16, f16};

use super::value::{broadcast_places, dims, each_place};
use crate::onnx::known::size::{Size, each, each_lossy, fixed, known};
use crate::onnx::known::values::{Real, Values};
use crate::onnx::operators::Operator;
use crate::onnx::proto::*;

/// The values of an elementwise operator.
pub(super) fn elementwise(call: &Operator<'_>, element: DataType, shape: &[usize]) -> Option<Values> {
    let op = call.name();
    let operand = |index: usize| stretched(call, index, shape);
    match op {
        "Cast" | "CastLike" => cast(call.values(0)?, element),
        "Where" => {
            let condition = operand(0)?;
            match (operand(1)?, operand(2)?) {
                (Values::Ints(a), Values::Ints(b)) => Some(Values::Ints(choose(condition.ints()?, &a, &b))),
                (Values::Floats(a), Values::Floats(b)) => {
                    Some(Values::Floats(choose(condition.ints()?, &a, &b)))
                }
                _ => None,
            }
        }
        "Clip" if call.node.attribute.is_empty() => {
            let mut values = operand(0)?;
            for (index, bound) in [(1, "Max"), (2, "Min")] {
                if call.node.input_at(index).is_some() {
                    values = binary(bound, &values, &operand(index)?, element, false)?;
                }
            }
            Some(values)
        }
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Equal" | "Less" | "LessOrEqual" | "Greater"
        | "GreaterOrEqual" | "And" | "Or" | "Xor" => {
            binary(op, &operand(0)?, &operand(1)?, element, call.node.int_or("fmod", 0) != 0)
        }
        "Min" | "Max" | "Sum" => {
            let op = if op == "Sum" { "Add" } else { op };
            let first = operand(0)?;
            (1..call.node.input.len())
                .try_fold(first, |values, index| binary(op, &values, &operand(index)?, element, false))
        }
        _ => unary(op, call.values(0)?, element),
    }
}

/// An operand, broadcast to the shape of the result.
fn stretched(call: &Operator<'_>, index: usize, shape: &[usize]) -> Option<Values> {
    fn at<T: Copy>(values: &[Option<T>], places: &[Option<usize>]) -> Vec<Option<T>> {
        places.iter().map(|place| *values.get((*place)?)?).collect()
    }
    let steps = broadcast_places(&dims(call.input(index)?)?, shape)?;
    let places = each_place(shape, |at| Some(at.iter().zip(&steps).map(|(at, step)| at * step).sum()));
    Some(match call.values(index)? {
        Values::Ints(values) => Values::Ints(at(values, &places)),
        Values::Floats(values) => Values::Floats(at(values, &places)),
    })
}

/// A value in both worlds.
type Both<T> = Option<[T; 2]>;

fn choose<T: Copy + PartialEq>(condition: &[Size], a: &[Both<T>], b: &[Both<T>]) -> Vec<Both<T>> {
    let choose = |condition: Size, a: Both<T>, b: Both<T>| match (condition, known(condition)) {
        // Only a condition that is the same in both worlds is sure in a third.
        (_, Some(0)) => b,
        (_, Some(_)) => a,
        (Some([x, _]), None) => {
            let (first, second) = if x != 0 { (a?, b?) } else { (b?, a?) };
            Some([first[0], second[1]]).filter(|[a, b]| a != b)
        }
        (None, None) => a.filter(|_| a == b),
    };
    condition.iter().zip(a.iter().zip(b)).map(|(&condition, (&a, &b))| choose(condition, a, b)).collect()
}

fn binary(op: &str, a: &Values, b: &Values, element: DataType, fmod: bool) -> Option<Values> {
    match (a, b) {
        (Values::Ints(a), Values::Ints(b)) => {
            let values = a.iter().zip(b).map(|(&a, &b)| fit(integers(op, a, b, fmod), element));
            Some(Values::Ints(values.collect()))
        }
        (Values::Floats(a), Values::Floats(b)) if element == DataType::Bool => {
            Some(Values::Ints(a.iter().zip(b).map(|(&a, &b)| compare_reals(op, a, b)).collect()))
        }
        (Values::Floats(a), Values::Floats(b)) => {
            Some(Values::Floats(a.iter().zip(b).map(|(&a, &b)| reals(op, a, b, element)).collect()))
        }
        // A power may be an integer.
        (Values::Floats(_), Values::Ints(_)) if op == "Pow" => {
            binary(op, a, &cast(b, DataType::Double)?, element, fmod)
        }
        _ => None,
    }
}

fn integers(op: &str, a: Size, b: Size, fmod: bool) -> Size {
    match op {
        "Add" => each([a, b], |[a, b]| a.checked_add(b)),
        "Sub" => each([a, b], |[a, b]| a.checked_sub(b)),
        "Mul" => each([a, b], |[a, b]| a.checked_mul(b)),
        "Div" => {
            let quotient = |[a, b]: [i64; 2]| a.checked_div(b);
            let exact = each([a, b], |[a, b]| a.checked_rem(b)) == fixed(0) && a != fixed(0);
            if exact { each([a, b], quotient) } else { each_lossy([a, b], quotient) }
        }
        "Mod" if b == fixed(1) => a.and(fixed(0)),
        "Mod" => each_lossy([a, b], |[a, b]| {
            let rest = a.checked_rem(b)?;
            Some(if !fmod && rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        }),
        "Pow" => each([a, b], |[a, b]| a.checked_pow(u32::try_from(b).ok()?)),
        "Min" => each_lossy([a, b], |[a, b]| Some(a.min(b))),
        "Max" => each_lossy([a, b], |[a, b]| Some(a.max(b))),
        "Equal" => compare(a, b, |a, b| a == b),
        "Less" => compare(a, b, |a, b| a < b),
        "LessOrEqual" => compare(a, b, |a, b| a <= b),
        "Greater" => compare(a, b, |a, b| a > b),
        "GreaterOrEqual" => compare(a, b, |a, b| a >= b),
        "And" if a == fixed(0) || b == fixed(0) => fixed(0),
        "Or" if a == fixed(1) || b == fixed(1) => fixed(1),
        "And" => each([a, b], |[a, b]| Some(a & b)),
        "Or" => each([a, b], |[a, b]| Some(a | b)),
        "Xor" => each([a, b], |[a, b]| Some(a ^ b)),
        _ => None,
    }
}

/// A comparison. What holds in both worlds need not hold in all, but no size is below zero.
fn compare(a: Size, b: Size, holds: impl Fn(i64, i64) -> bool) -> Size {
    let negative = |a: Size| known(a).is_some_and(|a| a < 0);
    let not_negative = |a: Size| a.is_some_and(|worlds| worlds.iter().all(|&a| a >= 0));
    let sure = (negative(a) && not_negative(b)) || (negative(b) && not_negative(a));
    let compared = |[a, b]: [i64; 2]| Some(i64::from(holds(a, b)));
    if sure { each([a, b], compared) } else { each_lossy([a, b], compared) }
}

fn compare_reals(op: &str, a: Real, b: Real) -> Size {
    let ([a0, a1], [b0, b1]) = (a?, b?);
    let holds = |a: f64, b: f64| {
        Some(i64::from(match op {
            "Equal" => a == b,
            "Less" => a < b,
            "LessOrEqual" => a <= b,
            "Greater" => a > b,
            "GreaterOrEqual" => a >= b,
            _ => return None,
        }))
    };
    lossy([holds(a0, b0)?, holds(a1, b1)?], a0 == a1 && b0 == b1)
}

fn reals(op: &str, a: Real, b: Real, element: DataType) -> Real {
    let ([a0, a1], [b0, b1]) = (a?, b?);
    let result = |a: f64, b: f64| {
        Some(match op {
            "Add" => a + b,
            "Sub" => a - b,
            "Mul" => a * b,
            "Div" => a / b,
            "Pow" => a.powf(b),
            "Min" => a.min(b),
            "Max" => a.max(b),
            _ => return None,
        })
    };
    let found = [round(result(a0, b0)?, element)?, round(result(a1, b1)?, element)?];
    match op {
        "Min" | "Max" => lossy(found, a0 == a1 && b0 == b1),
        _ => Some(found),
    }
}

/// What was found in both worlds by an operation that loses information.
fn lossy<T: PartialEq>(found: [T; 2], same_operands: bool) -> Option<[T; 2]> {
    Some(found).filter(|[a, b]| same_operands || a != b)
}

fn unary(op: &str, values: &Values, element: DataType) -> Option<Values> {
    let lost = matches!(op, "Floor" | "Ceil" | "Round" | "Abs" | "Sign" | "Relu" | "Not");
    match values {
        Values::Ints(values) => {
            let f: fn(i64) -> Option<i64> = match op {
                "Neg" => i64::checked_neg,
                "Abs" => i64::checked_abs,
                "Sign" => |a| Some(a.signum()),
                "Relu" => |a| Some(a.max(0)),
                "Not" => |a| Some(i64::from(a == 0)),
                _ => return None,
            };
            let value = |&value: &Size| {
                if lost { each_lossy([value], |[a]| f(a)) } else { each([value], |[a]| f(a)) }
            };
            Some(Values::Ints(values.iter().map(|size| fit(value(size), element)).collect()))
        }
        Values::Floats(values) => {
            let f: fn(f64) -> f64 = match op {
                "Neg" => |a| -a,
                "Abs" => f64::abs,
                "Relu" => |a| a.max(0.0),
                "Sqrt" => f64::sqrt,
                "Reciprocal" => f64::recip,
                "Exp" => f64::exp,
                "Log" => f64::ln,
                "Floor" => f64::floor,
                "Ceil" => f64::ceil,
                "Round" => f64::round_ties_even,
                _ => return None,
            };
            let value = |value: &Real| {
                let [a, b] = (*value)?;
                let found = [round(f(a), element)?, round(f(b), element)?];
                if lost { lossy(found, a == b) } else { Some(found) }
            };
            Some(Values::Floats(values.iter().map(value).collect()))
        }
    }
}

/// Values of another type. A number that it cannot hold is unknown.
fn cast(values: &Values, element: DataType) -> Option<Values> {
    let real = is_real(element);
    let whole = |a: f64| {
        let fits = a.is_finite() && a.abs() < 9e18;
        if element == DataType::Bool { Some(i64::from(a != 0.0)) } else { fits.then_some(a.trunc() as i64) }
    };
    Some(match values {
        Values::Ints(values) if real => {
            let value = |value: &Size| {
                let [a, b] = (*value)?;
                Some([round(a as f64, element)?, round(b as f64, element)?])
            };
            Values::Floats(values.iter().map(value).collect())
        }
        Values::Floats(values) if real => {
            let value = |value: &Real| {
                let [a, b] = (*value)?;
                lossy([round(a, element)?, round(b, element)?], a == b)
            };
            Values::Floats(values.iter().map(value).collect())
        }
        Values::Ints(values) if element == DataType::Bool => Values::Ints(
            values.iter().map(|&value| each_lossy([value], |[a]| Some(i64::from(a != 0)))).collect(),
        ),
        Values::Ints(values) => Values::Ints(values.iter().map(|&value| fit(value, element)).collect()),
        Values::Floats(values) => {
            let value = |value: &Real| {
                let [a, b] = (*value)?;
                fit(lossy([whole(a)?, whole(b)?], a == b), element)
            };
            Values::Ints(values.iter().map(value).collect())
        }
    })
}

/// Takes values together at the places that `targets` give, `count` of them.
pub(super) fn reduce(
    op: &str,
    values: &Values,
    targets: &[Option<usize>],
    count: usize,
    element: DataType,
) -> Option<Values> {
    let (step, start) = match op {
        "ReduceProd" => ("Mul", Some(1)),
        "ReduceSum" => ("Add", Some(0)),
        "ReduceMax" => ("Max", None),
        _ => ("Min", None),
    };
    let Values::Ints(values) = values else { return None };
    let mut found: Vec<Option<Size>> = vec![start.map(fixed); count];
    for (&value, target) in values.iter().zip(targets) {
        let found = found.get_mut((*target)?)?;
        *found = Some(match *found {
            Some(so_far) => fit(integers(step, so_far, value, false), element),
            None => value,
        });
    }
    Some(Values::Ints(found.into_iter().map(Option::flatten).collect()))
}

fn is_real(element: DataType) -> bool {
    matches!(element, DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16)
}

/// A number as its type holds it.
fn round(value: f64, element: DataType) -> Option<f64> {
    match element {
        DataType::Float => Some((value as f32).into()),
        DataType::Double => Some(value),
        DataType::Float16 => Some(f16::from_f64(value).into()),
        DataType::Bfloat16 => Some(bf16::from_f64(value).into()),
        _ => None,
    }
}

/// An integer, if its type holds it.
fn fit(value: Size, element: DataType) -> Size {
    let range = match element {
        DataType::Int64 => return value,
        DataType::Uint64 => 0..=i64::MAX,
        DataType::Int32 => i32::MIN.into()..=i32::MAX.into(),
        DataType::Uint32 => 0..=u32::MAX.into(),
        DataType::Int16 => i16::MIN.into()..=i16::MAX.into(),
        DataType::Uint16 => 0..=u16::MAX.into(),
        DataType::Int8 => i8::MIN.into()..=i8::MAX.into(),
        DataType::Uint8 => 0..=u8::MAX.into(),
        DataType::Bool => 0..=1,
        _ => return None,
    };
    value.filter(|worlds| worlds.iter().all(|value| range.contains(value)))
}
