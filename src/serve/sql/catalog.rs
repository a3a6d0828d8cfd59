//! What there is to ask about, in the shapes of Flight SQL.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use arrow_flight::error::FlightError;
use arrow_flight::sql::Command;

use super::super::refusal::Refusal;
use super::info;
use spanql_engine::Engine;

/// The names that everything stands under.
const CATALOG: &str = "spanql";
const SCHEMA: &str = "public";
/// The one type of tables.
const TABLE: &str = "TABLE";

/// The rows that answer a command about what there is; `None` for any other command.
pub(super) async fn rows(command: &Command, engine: &Engine) -> Result<Option<RecordBatch>, Refusal> {
    let wrong = |error: FlightError| Refusal::internal(error.to_string());
    let rows = match command.clone() {
        Command::CommandGetCatalogs(asked) => {
            let mut catalogs = asked.into_builder();
            catalogs.append(CATALOG);
            catalogs.build()
        }
        Command::CommandGetDbSchemas(asked) => {
            let mut schemas = asked.into_builder();
            schemas.append(CATALOG, SCHEMA);
            schemas.build()
        }
        Command::CommandGetTables(asked) => {
            let mut tables = asked.into_builder();
            for table in engine.describe().await.tables {
                let columns = table.columns.into_iter().map(|(name, data_type)| Field::new(name, data_type, true));
                let schema = Schema::new(columns.collect::<Vec<_>>());
                tables.append(CATALOG, SCHEMA, &table.name, TABLE, &schema).map_err(wrong)?;
            }
            tables.build()
        }
        Command::CommandGetTableTypes(asked) => {
            let mut types = asked.into_builder();
            types.append(TABLE);
            types.build()
        }
        Command::CommandGetSqlInfo(asked) => asked.into_builder(info::info()?).build(),
        Command::CommandGetXdbcTypeInfo(asked) => asked.into_builder(info::types()?).build(),
        // There are no keys.
        Command::CommandGetPrimaryKeys(_) => Ok(RecordBatch::new_empty(Arc::new(primary_keys()))),
        Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => Ok(RecordBatch::new_empty(Arc::new(foreign_keys()))),
        _ => return Ok(None),
    };
    rows.map(Some).map_err(wrong)
}

fn primary_keys() -> Schema {
    let text = |name: &str, nullable: bool| Field::new(name, DataType::Utf8, nullable);
    Schema::new(vec![
        text("catalog_name", true),
        text("db_schema_name", true),
        text("table_name", false),
        text("column_name", false),
        text("key_name", true),
        Field::new("key_sequence", DataType::Int32, false),
    ])
}

fn foreign_keys() -> Schema {
    let text = |name: String, nullable: bool| Field::new(name, DataType::Utf8, nullable);
    let mut fields = Vec::new();
    for side in ["pk", "fk"] {
        fields.push(text(format!("{side}_catalog_name"), true));
        fields.push(text(format!("{side}_db_schema_name"), true));
        fields.push(text(format!("{side}_table_name"), false));
        fields.push(text(format!("{side}_column_name"), false));
    }
    fields.push(Field::new("key_sequence", DataType::Int32, false));
    fields.push(text("fk_key_name".to_owned(), true));
    fields.push(text("pk_key_name".to_owned(), true));
    fields.push(Field::new("update_rule", DataType::UInt8, false));
    fields.push(Field::new("delete_rule", DataType::UInt8, false));
    Schema::new(fields)
}
