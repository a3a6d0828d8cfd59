//! Servers for tests, and clients for them.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Schema, TimestampNanosecondType};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{FlightDescriptor, FlightInfo};
use futures::TryStreamExt;
use serde_json::{Value, json};
use spanql::serve::{Ready, ServeError, Server, Settings, Token};
use spanql::store::Store;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};

/// The key of servers that want one.
pub(crate) const KEY: &str = "key-of-the-tests";
/// The project of the rows that [`row`](super::support::row) makes here.
pub(crate) const PROJECT: &str = "demo";

/// A server that runs in this process until it is stopped or dropped.
pub(crate) struct Running {
    pub(crate) ready: Ready,
    stop: Option<oneshot::Sender<()>>,
    done: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    /// Serves a store on loopback.
    pub(crate) async fn start(store: &Arc<Store>, settings: Settings) -> Self {
        let bound = Server::bind(Arc::clone(store), settings).await.unwrap();
        let ready = bound.ready().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let done = tokio::spawn(bound.run(async { drop(stopped.await) }));
        Self { ready, stop: Some(stop), done }
    }

    /// With the key of the tests.
    pub(crate) async fn with_key(store: &Arc<Store>) -> Self {
        Self::start(store, Settings { token: Token::new(KEY), ..Settings::default() }).await
    }

    /// Ends the server, and waits until it has ended.
    pub(crate) async fn stop(mut self) -> Result<(), ServeError> {
        drop(self.stop.take());
        (&mut self.done).await.unwrap()
    }

    /// A client that shows a key.
    pub(crate) async fn flight(&self, key: &str) -> Flight {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", self.ready.flight_port)).unwrap();
        Flight::new(endpoint.connect().await.unwrap(), key)
    }

    /// A command for the whole of [`PROJECT`], with changes.
    pub(crate) fn command(&self, changes: Value) -> Value {
        let mut command = json!({
            "spaceId": self.ready.space_id, "modelId": PROJECT, "environment": "TRACING",
            "startTime": "1970-01-01T00:00:00Z", "endTime": "2100-01-01T00:00:00Z",
        });
        for (name, value) in changes.as_object().unwrap() {
            command[name] = value.clone();
        }
        command
    }
}

/// A client of Flight.
#[derive(Clone)]
pub(crate) struct Flight {
    pub(crate) client: FlightServiceClient<Channel>,
    key: String,
}

impl Flight {
    pub(crate) fn new(channel: Channel, key: &str) -> Self {
        let client = FlightServiceClient::new(channel).max_decoding_message_size(usize::MAX);
        Self { client, key: key.to_owned() }
    }

    pub(crate) fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert_bin("auth-token-bin", MetadataValue::from_bytes(self.key.as_bytes()));
        request
    }

    pub(crate) async fn info(&self, command: &Value) -> Result<FlightInfo, Status> {
        let request = self.request(FlightDescriptor::new_cmd(command.to_string()));
        Ok(self.client.clone().get_flight_info(request).await?.into_inner())
    }

    /// Starts the transfer of what was announced.
    pub(crate) async fn open(&self, info: &FlightInfo) -> Result<FlightRecordBatchStream, Status> {
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let stream = self.client.clone().do_get(self.request(ticket)).await?.into_inner();
        Ok(FlightRecordBatchStream::new_from_flight_data(stream.map_err(|status| FlightError::Tonic(Box::new(status)))))
    }

    /// Everything that a command gives; checks that it is what was announced.
    pub(crate) async fn export(&self, command: &Value) -> Result<Export, Status> {
        let info = self.info(command).await?;
        let total = info.total_records;
        let schema = info.clone().try_decode_schema().unwrap();
        if total == 0 {
            assert_eq!(info.endpoint, [], "nothing announced, and a ticket for it");
            return Ok(Export { schema, batches: Vec::new() });
        }
        let mut stream = self.open(&info).await?;
        let mut batches = Vec::new();
        while let Some(batch) = stream.try_next().await.map_err(Status::from)? {
            assert_eq!(batch.schema().as_ref(), &schema, "the schema differs from the one announced");
            batches.push(batch);
        }
        let export = Export { schema, batches };
        assert_eq!(export.rows() as i64, total, "other rows came than were announced");
        Ok(export)
    }
}

/// What a client received.
#[derive(Debug)]
pub(crate) struct Export {
    pub(crate) schema: Schema,
    pub(crate) batches: Vec<RecordBatch>,
}

impl Export {
    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// The texts of a column, nulls left out, sorted.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let column = |batch: &RecordBatch| batch.column_by_name(name).unwrap().clone();
        let mut texts: Vec<String> = self
            .batches
            .iter()
            .flat_map(|batch| column(batch).as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        texts.sort();
        texts
    }

    /// The times of a column, in their order.
    pub(crate) fn times(&self, name: &str) -> Vec<i64> {
        let times = |batch: &RecordBatch| {
            batch.column_by_name(name).unwrap().as_primitive::<TimestampNanosecondType>().values().to_vec()
        };
        self.batches.iter().flat_map(times).collect()
    }

    /// The one row's list in a column.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<Option<String>>> {
        let [batch] = self.batches.as_slice() else { panic!("{} batches", self.batches.len()) };
        let lists = batch.column_by_name(name).unwrap().as_list::<i32>();
        assert_eq!(lists.len(), 1);
        lists
            .is_valid(0)
            .then(|| lists.value(0).as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
    }
}
