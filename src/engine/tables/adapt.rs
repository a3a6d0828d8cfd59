//! Reading a segment whose columns differ from the table's: missing ones are null, narrower ones are widened.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};

use crate::tree_node::physical_expr_up;
use spanql_store::floats_to_text;

/// Adapts expressions over the table to a segment's own columns.
///
/// DataFusion's adapter does all of it but one thing: numbers that share a column with text have one text form,
/// whether they came as `5` or as `5.0`.
#[derive(Debug)]
pub(super) struct WideningAdapterFactory;

#[derive(Debug)]
struct WideningAdapter {
    inner: Arc<dyn PhysicalExprAdapter>,
    table: SchemaRef,
    file: SchemaRef,
}

impl PhysicalExprAdapterFactory for WideningAdapterFactory {
    fn create(&self, table: SchemaRef, file: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let inner = DefaultPhysicalExprAdapterFactory.create(Arc::clone(&table), Arc::clone(&file))?;
        Ok(Arc::new(WideningAdapter { inner, table, file }))
    }
}

impl PhysicalExprAdapter for WideningAdapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        physical_expr_up(self.inner.rewrite(expr)?, &mut |expr| {
            let column = expr.downcast_ref::<CastExpr>().and_then(|cast| cast.expr().downcast_ref::<Column>());
            let Some(column) = column.filter(|column| self.is_number_among_text(column.name())) else {
                return Ok(Transformed::no(expr));
            };
            let column: Arc<dyn PhysicalExpr> = Arc::new(column.clone());
            let function = Arc::new(ScalarUDF::from(NumberText::new()));
            let text = ScalarFunctionExpr::new(
                "number_text",
                function,
                vec![column],
                Arc::new(Field::new("number_text", DataType::Utf8, true)),
                Arc::new(ConfigOptions::default()),
            );
            Ok(Transformed::yes(Arc::new(text) as Arc<dyn PhysicalExpr>))
        })
        .data()
    }
}

impl WideningAdapter {
    fn is_number_among_text(&self, name: &str) -> bool {
        let has = |schema: &SchemaRef, data_type: DataType| {
            schema.field_with_name(name).is_ok_and(|field| *field.data_type() == data_type)
        };
        has(&self.table, DataType::Utf8) && has(&self.file, DataType::Float64)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NumberText {
    signature: Signature,
}

impl NumberText {
    fn new() -> Self {
        Self { signature: Signature::exact(vec![DataType::Float64], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for NumberText {
    fn name(&self) -> &str {
        "number_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        use arrow::array::AsArray;
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let numbers = arrays[0].as_primitive::<arrow::datatypes::Float64Type>();
        Ok(ColumnarValue::Array(Arc::new(floats_to_text(numbers))))
    }
}
