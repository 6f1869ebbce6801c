//! A table as a Parquet file.

use crate::{Column, Values};
use algolens::{Error, Result};
use parquet::{
    basic::{LogicalType, Repetition, Type as Physical},
    data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::Type,
};
use std::sync::Arc;

/// The bytes of a Parquet file of these columns: one row group, uncompressed; a value that a run does not have is null. The bytes
/// are a function of the columns.
///
/// # Errors
/// Columns of different lengths, or two of one name.
pub fn parquet(columns: &[Column]) -> Result<Vec<u8>> {
    write(columns).map_err(|error| Error::invalid("table", "what Parquet can hold", error))
}

fn write(columns: &[Column]) -> Result<Vec<u8>, ParquetError> {
    let fields = columns.iter().map(|column| field(column).map(Arc::new)).collect::<Result<_, _>>()?;
    let schema = Type::group_type_builder("run").with_fields(fields).build()?;
    let properties = WriterProperties::builder().set_created_by(concat!("algolens ", env!("CARGO_PKG_VERSION")).into());
    let mut file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties.build()))?;
    let mut group = file.next_row_group()?;
    for column in columns {
        write_column(&mut group, column)?;
    }
    group.close()?;
    file.into_inner()
}

fn field(column: &Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.values {
        Values::Whole(_) => (Physical::INT64, None),
        Values::Numbers(_) => (Physical::DOUBLE, None),
        Values::Texts(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    Type::primitive_type_builder(&column.name, physical)
        .with_logical_type(logical)
        .with_repetition(Repetition::OPTIONAL)
        .build()
}

fn write_column(group: &mut SerializedRowGroupWriter<'_, Vec<u8>>, column: &Column) -> Result<(), ParquetError> {
    let lacking = || ParquetError::General("fewer columns than the schema has".into());
    let mut writer = group.next_column()?.ok_or_else(lacking)?;
    match &column.values {
        Values::Whole(values) => write_values::<Int64Type>(&mut writer, values.iter().copied())?,
        Values::Numbers(values) => write_values::<DoubleType>(&mut writer, values.iter().copied())?,
        Values::Texts(values) => {
            let bytes = values.iter().map(|text| text.as_ref().map(|text| ByteArray::from(text.as_bytes().to_vec())));
            write_values::<ByteArrayType>(&mut writer, bytes)?;
        }
    }
    writer.close()
}

fn write_values<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<(), ParquetError> {
    let values: Vec<Option<T::T>> = values.collect();
    let there: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<T::T> = values.into_iter().flatten().collect();
    writer.typed::<T>().write_batch(&values, Some(&there), None).map(drop)
}
