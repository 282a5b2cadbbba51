//! Traces: a node that was built with `otel` tells a real collector of its calls, as parts of their callers' traces.
#![cfg(feature = "otel")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod node;

use std::time::Duration;

use node::Place;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    trace::v1::Span,
};
use parkwatt_proto::v1::{GetMarketRequest, market_data_client::MarketDataClient};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

const PATIENCE: Duration = Duration::from_mins(1);
/// A caller's trace, and the span of his that calls.
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A collector, which hands on what it is told.
struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let _ = self.0.send(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_hears_of_each_call_with_its_status_in_its_callers_trace() {
    let (told, mut hears) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let collector = Server::builder().add_service(TraceServiceServer::new(Collector(told)));
    tokio::spawn(collector.serve_with_incoming(TcpListenerStream::new(listener)));

    let place = Place::new(&[]).with_variable("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    let mut node = place.start();
    let mut reader = MarketDataClient::connect(node.url()).await.unwrap();
    let mut asked = Request::new(GetMarketRequest::default());
    asked.metadata_mut().insert("traceparent", TRACEPARENT.parse().unwrap());
    reader.get_market(asked).await.unwrap();
    let absent = GetMarketRequest { market: "plaza".into() };
    reader.get_market(absent).await.unwrap_err();
    drop(reader);
    // Whatever has not been sent is sent then.
    node.ask_to_stop();

    let mut spans: Vec<Span> = Vec::new();
    while spans.len() < 2 {
        let request = tokio::time::timeout(PATIENCE, hears.recv()).await.expect("the node tells").unwrap();
        for resource in request.resource_spans {
            let attributes = &resource.resource.as_ref().unwrap().attributes;
            let name = attributes.iter().find(|it| it.key == "service.name").unwrap();
            let name = name.value.as_ref().unwrap().value.as_ref().unwrap();
            assert_eq!(name, &Value::StringValue("parkwattd".into()));
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    assert_eq!(node.wait().code(), Some(0), "{}", place.log());
    let status = |span: &Span| {
        let code = span.attributes.iter().find(|it| it.key == "rpc.grpc.status_code").unwrap();
        code.value.as_ref().unwrap().value.clone().unwrap()
    };
    assert!(spans.iter().all(|span| span.name == "parkwatt.v1.MarketData/GetMarket"), "{spans:?}");
    assert_eq!(spans.iter().map(status).collect::<Vec<_>>(), [Value::IntValue(0), Value::IntValue(3)]);
    assert_eq!(hex::encode(&spans[0].trace_id), TRACEPARENT[3..35]);
    assert_eq!(hex::encode(&spans[0].parent_span_id), TRACEPARENT[36..52]);
    assert!(spans[1].parent_span_id.is_empty() && spans[1].trace_id != spans[0].trace_id);
}
