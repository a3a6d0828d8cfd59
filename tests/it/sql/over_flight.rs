//! The same files through Flight SQL, unchanged: a server whose statements are asked of the same engines.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, NullArray, StringArray};
use arrow::datatypes::{DataType, Schema};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery,
    CommandStatementQuery, DoPutPreparedStatementResult, ProstMessageExt,
};
use arrow_flight::{Action, FlightDescriptor};
use datafusion::arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use spanql::engine::{Engine, Param, Params, parse_param};
use spanql::serve::{Server, Settings};
use spanql::store::Store;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};
use tokio::sync::oneshot;
use tonic::transport::Channel;

use super::{engine_of, files, rows};
use crate::cases::{all_cases, cases};

/// What the server says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl From<tonic::Status> for Refused {
    fn from(status: tonic::Status) -> Self {
        Self(status.message().to_owned())
    }
}

impl From<FlightError> for Refused {
    fn from(error: FlightError) -> Self {
        match error {
            FlightError::Tonic(status) => (*status).into(),
            other => Self(other.to_string()),
        }
    }
}

/// A server, and a client of it.
struct Remote {
    client: FlightServiceClient<Channel>,
    /// Dropped, it ends the server.
    _stop: oneshot::Sender<()>,
}

impl Remote {
    async fn start(engine: Engine) -> Self {
        let store = Arc::new(Store::open("memory://").unwrap());
        let bound = Server::bind(store, Settings { engine: Some(engine), ..Settings::default() }).await.unwrap();
        let address = format!("http://127.0.0.1:{}", bound.ready().flight_port);
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(bound.run(async { drop(stopped.await) }));
        let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
        Self { client: FlightServiceClient::new(channel), _stop: stop }
    }

    /// Runs one statement; gives the lines of its result.
    async fn ask(&mut self, sql: &str, params: &Params) -> Result<Vec<String>, Refused> {
        let command = match params.is_empty() {
            true => CommandStatementQuery { query: sql.to_owned(), transaction_id: None }.as_any(),
            false => self.prepare(sql, params).await?.as_any(),
        };
        let descriptor = FlightDescriptor::new_cmd(command.encode_to_vec());
        let info = self.client.get_flight_info(descriptor).await?.into_inner();
        let planned = info.clone().try_decode_schema().unwrap();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let messages =
            self.client.do_get(ticket).await?.into_inner().map_err(|status| FlightError::Tonic(Box::new(status)));
        let mut stream = FlightRecordBatchStream::new_from_flight_data(messages);
        let mut batches: Vec<RecordBatch> = Vec::new();
        while let Some(batch) = stream.next().await {
            batches.push(batch?);
        }
        let schema = Arc::clone(stream.schema().unwrap());
        // On their way, unions lose that they may be null: Arrow has no place for it.
        let types = |schema: &Schema| -> Vec<(String, DataType)> {
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
        };
        assert_eq!(types(&planned), types(&schema), "{sql}");
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut lines = vec![names.join(" | ")];
        lines.extend(batches.iter().flat_map(rows));
        lines.extend(notes(schema.metadata()).into_iter().map(|note| format!("note: {note}")));
        Ok(lines)
    }

    /// Prepares a statement and gives it its values.
    async fn prepare(&mut self, sql: &str, params: &Params) -> Result<CommandPreparedStatementQuery, Refused> {
        let request = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
        let action = Action::new("CreatePreparedStatement", request.as_any().encode_to_vec());
        let answer = self.client.do_action(action).await?.into_inner().try_next().await?.unwrap();
        let prepared: ActionCreatePreparedStatementResult =
            Any::decode(&*answer.body).unwrap().unpack().unwrap().unwrap();
        let unbound = CommandPreparedStatementQuery { prepared_statement_handle: prepared.prepared_statement_handle };
        let descriptor = FlightDescriptor::new_cmd(unbound.as_any().encode_to_vec());
        let values = FlightDataEncoderBuilder::new()
            .with_flight_descriptor(Some(descriptor))
            .build(futures::stream::iter([Ok(batch(params))]))
            .map(Result::unwrap);
        let answer = self.client.do_put(values).await?.into_inner().try_next().await?.unwrap();
        let bound = DoPutPreparedStatementResult::decode(&*answer.app_metadata).unwrap();
        Ok(CommandPreparedStatementQuery { prepared_statement_handle: bound.prepared_statement_handle.unwrap() })
    }
}

fn notes(metadata: &HashMap<String, String>) -> Vec<String> {
    metadata.get("spanql.notes").map(|notes| serde_json::from_str(notes).unwrap()).unwrap_or_default()
}

fn batch(params: &Params) -> RecordBatch {
    let column = |param: &Param| -> ArrayRef {
        match param {
            Param::Null => Arc::new(NullArray::new(1)),
            Param::Boolean(flag) => Arc::new(BooleanArray::from(vec![*flag])),
            Param::Int(int) => Arc::new(Int64Array::from(vec![*int])),
            Param::Float(float) => Arc::new(Float64Array::from(vec![*float])),
            Param::Text(text) => Arc::new(StringArray::from(vec![text.as_str()])),
            other => panic!("{other:?} is not typed in a file"),
        }
    };
    RecordBatch::try_from_iter_with_nullable(params.iter().map(|(name, param)| (name, column(param), true))).unwrap()
}

#[async_trait::async_trait]
impl AsyncDB for Remote {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let given = sql.lines().filter_map(|line| line.strip_prefix("-- param "));
        let params: Params = given.map(|text| parse_param(text).unwrap()).collect();
        let lines = match self.ask(sql, &params).await {
            // A client sends one statement at a time.
            Err(Refused(why)) if why.contains("statements in the text: give one") => {
                let mut lines = vec![];
                for sql in sql.split(';').filter(|sql| !sql.trim().is_empty()) {
                    lines.extend(self.ask(sql, &params).await?);
                }
                lines
            }
            asked => asked?,
        };
        let rows = lines.iter().flat_map(|row| row.lines()).map(|line| vec![line.to_owned()]).collect();
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any], rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "spanql"
    }
}

#[test]
fn statements_by_example_through_flight_sql() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut failures = vec![];
    let mut statements = 0;
    runtime.block_on(async {
        // The engine is asked all of them, whatever is asked here.
        for file in files().into_iter().step_by(if all_cases() { 1 } else { 3 }) {
            let records = sqllogictest::parse_file::<DefaultColumnType>(&file).unwrap();
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            let name = name.as_str();
            let mut runner = Runner::new(|| async move { Ok(Remote::start(engine_of(name).await).await) });
            for record in records {
                statements += usize::from(matches!(record, sqllogictest::Record::Query { .. }));
                if let Err(error) = runner.run_async(record).await {
                    failures.push(error.to_string());
                }
            }
        }
    });
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n\n"));
    assert!(statements >= cases(200), "only {statements} statements");
}
