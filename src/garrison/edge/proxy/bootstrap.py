"""Envoy's configuration for one listener, as JSON documents. Pure: the files that it names are the caller's.

Names are those of Envoy's API, version 3. Four files: the bootstrap, which names the others; and listeners, clusters
and secrets, which Envoy reads again when they are replaced (file xDS).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from garrison.edge.proxy.settings import INSPECTED_BYTES, Address, Front, Upstream

Document = Mapping[str, Any]
APPLICATION: Final = "application"
INSPECTORS: Final = "inspectors"
ADMIN: Final = "admin"
_SECRET: Final = "front"  # noqa: S105 - the name of one
_FILTER: Final = "type.googleapis.com/envoy.extensions.filters"
_TLS: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
_QUIC: Final = "type.googleapis.com/envoy.extensions.transport_sockets.quic.v3"
_HTTP: Final = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_TLS_PARAMETERS: Final = {"tls_minimum_protocol_version": "TLSv1_2"}
_HTTP2: Final = {
    "max_concurrent_streams": 128,
    "initial_stream_window_size": 65_536,
    "initial_connection_window_size": 1_048_576,
}
_NOWHERE: Final = {"address_prefix": "255.255.255.255", "prefix_len": 32}


def seconds(value: float) -> str:
    """A duration as Envoy reads it."""
    return f"{value:g}s"


def bootstrap(front: Front) -> Document:
    """The file that Envoy starts with."""
    found: dict[str, Any] = {
        "node": {"id": "garrison", "cluster": "garrison"},
        "admin": {"address": {"pipe": {"path": str(front.admin), "mode": 0o600}}},
        "dynamic_resources": {"lds_config": _from_file(front, "listeners"), "cds_config": _from_file(front, "clusters")},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3"
                        ".DownstreamConnectionsConfig",
                        "max_active_downstream_connections": front.bounds.connections,
                    },
                }
            ]
        },
    }
    if front.module is not None:
        # A thread that does not come back from an inspection ends Envoy, which is then started again.
        watchdog = {"miss_timeout": "1s", "megamiss_timeout": "2s", "kill_timeout": seconds(front.bounds.hang_seconds)}
        found["watchdogs"] = {"worker_watchdog": watchdog}
    return found


def _from_file(front: Front, name: str) -> Document:
    return {
        "path_config_source": {"path": str(front.folder / f"{name}.json"), "watched_directory": {"path": str(front.folder)}},
        "resource_api_version": "V3",
    }


# Clusters


def clusters(front: Front) -> Document:
    """The application, the inspectors, and Envoy's own administration for its metrics."""
    pipes = [{"pipe": {"path": str(front.socket(number))}} for number in range(front.inspectors)]
    assert front.upstream is not None  # noqa: S101 - Envoy stands before an application
    resources = [
        _application(front.upstream),
        # One request at a time each: an inspector that is at work gets no second one while another is free.
        _cluster(INSPECTORS, pipes, lb_policy="LEAST_REQUEST", **_breakers(100_000)),
        _cluster(ADMIN, [{"pipe": {"path": str(front.admin)}}]),
    ]
    kind = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    return {"resources": [{"@type": kind, **each} for each in resources]}


def _breakers(count: int) -> dict[str, Any]:
    """Envoy's own limits are a thousand of each, and refuse what is above. Here connections of clients are what is limited."""
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), count)
    return {"circuit_breakers": {"thresholds": [limits]}}


def _cluster(name: str, addresses: Sequence[Document], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - members of any type
    endpoints = [{"endpoint": {"address": each}} for each in addresses]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        **more,
    }


def _application(upstream: Upstream) -> dict[str, Any]:
    protocol: Document = {"http2_protocol_options": {}} if upstream.http2 else {"http_protocol_options": {}}
    more: dict[str, Any] = {
        "type": "STATIC" if upstream.address.is_ip else "LOGICAL_DNS",
        "dns_lookup_family": "ALL",  # `localhost` is two addresses, and an application listens on one
        "connect_timeout": "5s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {"@type": _HTTP, "explicit_http_config": protocol}
        },
        **_breakers(100_000),
    }
    if upstream.tls:
        more["transport_socket"] = _upstream_tls(upstream)
    return _cluster(APPLICATION, [_socket(upstream.address)], **more)


def _socket(address: Address, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - members of any type
    return {"socket_address": {"address": address.host, "port_value": address.port, **more}}


def _upstream_tls(upstream: Upstream) -> Document:
    trusted = upstream.authorities or Path(ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt")
    name = upstream.address.host
    kind = "IP_ADDRESS" if upstream.address.is_ip else "DNS"
    context = {
        "validation_context": {
            "trusted_ca": {"filename": str(trusted)},
            "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": name}}],
        },
        "tls_params": _TLS_PARAMETERS,
        "alpn_protocols": ["h2"] if upstream.http2 else ["http/1.1"],
    }
    sni = {} if upstream.address.is_ip else {"sni": name}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {"@type": f"{_TLS}.UpstreamTlsContext", "common_tls_context": context, **sni},
    }


# Listeners


def listeners(front: Front) -> Document:
    """The listener that clients connect to, the same over QUIC, and that of the metrics."""
    found = [_tcp(front)]
    if front.http3 and front.certificate is not None:
        found.append(_udp(front))
    if front.metrics is not None:
        found.append(_metrics(front.metrics))
    kind = "type.googleapis.com/envoy.config.listener.v3.Listener"
    return {"resources": [{"@type": kind, **each} for each in found]}


def _tcp(front: Front) -> dict[str, Any]:
    chain: dict[str, Any] = {"filters": [_manager(front, "AUTO")]}
    found: dict[str, Any] = {
        "name": "front",
        "address": _socket(front.listen),
        "per_connection_buffer_limit_bytes": 2 * INSPECTED_BYTES,
        "filter_chains": [chain],
    }
    if front.certificate is not None:
        chain["transport_socket"] = _downstream_tls(front, ["h2", "http/1.1"], quic=False)
        chain["transport_socket_connect_timeout"] = seconds(front.bounds.head_seconds)
        inspector = f"{_FILTER}.listener.tls_inspector.v3.TlsInspector"
        settings = {"@type": inspector, "enable_ja3_fingerprinting": True, "enable_ja4_fingerprinting": True}
        found["listener_filters"] = [{"name": "envoy.filters.listener.tls_inspector", "typed_config": settings}]
        found["listener_filters_timeout"] = seconds(front.bounds.head_seconds)
    return found


def _udp(front: Front) -> dict[str, Any]:
    chain = {"filters": [_manager(front, "HTTP3")], "transport_socket": _downstream_tls(front, ["h3"], quic=True)}
    return {
        "name": "front-quic",
        "address": _socket(front.listen, protocol="UDP"),
        "udp_listener_config": {"quic_options": {}, "downstream_socket_config": {"prefer_gro": True}},
        "filter_chains": [chain],
    }


def _downstream_tls(front: Front, protocols: Sequence[str], *, quic: bool) -> Document:
    source = {"name": _SECRET, "sds_config": _from_file(front, "secrets")}
    common: dict[str, Any] = {"tls_certificate_sds_secret_configs": [source], "alpn_protocols": list(protocols)}
    if not quic:
        common["tls_params"] = _TLS_PARAMETERS
        context = {"@type": f"{_TLS}.DownstreamTlsContext", "common_tls_context": common}
        return {"name": "envoy.transport_sockets.tls", "typed_config": context}
    context = {"@type": f"{_QUIC}.QuicDownstreamTransport", "downstream_tls_context": {"common_tls_context": common}}
    return {"name": "envoy.transport_sockets.quic", "typed_config": context}


def secrets(front: Front) -> Document:
    """The certificate of a listener. Envoy reads the files that it names again when their folder changes."""
    found: list[Document] = []
    if front.certificate is not None:
        certificate = {
            "certificate_chain": {"filename": str(front.certificate.chain)},
            "private_key": {"filename": str(front.certificate.key)},
            "watched_directory": {"path": str(front.certificate.chain.parent)},
        }
        found.append({"@type": f"{_TLS}.Secret", "name": _SECRET, "tls_certificate": certificate})
    return {"resources": found}


def _manager(front: Front, codec: str) -> Document:
    bounds = front.bounds
    upgrades = [] if codec == "HTTP3" else [{"upgrade_type": "websocket"}]
    settings: dict[str, Any] = {
        "stat_prefix": "front",
        "codec_type": codec,
        # The peer is the client. What it says of itself in `x-forwarded-for` is for rules to judge, and stays as it is for them.
        "use_remote_address": True,
        "skip_xff_append": True,
        # No peer is Envoy's own: `x-envoy-` headers of whoever is near would be taken for orders.
        "internal_address_config": {"unix_sockets": False, "cidr_ranges": [_NOWHERE]},
        "server_header_transformation": "PASS_THROUGH",
        "request_headers_timeout": seconds(bounds.head_seconds),
        "request_timeout": seconds(bounds.request_seconds),
        "stream_idle_timeout": seconds(bounds.idle_seconds),
        "drain_timeout": seconds(bounds.drain_seconds),
        "max_request_headers_kb": bounds.head_kilobytes,
        "common_http_protocol_options": {
            "idle_timeout": seconds(bounds.idle_seconds),
            "max_headers_count": bounds.headers,
            # CGI, WSGI and PHP read `a_b` as `a-b`: a rule on the one must not be passed by the other.
            "headers_with_underscores_action": "DROP_HEADER",
        },
        "http2_protocol_options": {**_HTTP2, "allow_connect": True},
        "upgrade_configs": upgrades,
        "route_config": _routes(front),
        "http_filters": _filters(front, fingerprinted=front.certificate is not None and codec != "HTTP3"),
    }
    if codec == "HTTP3":
        settings["http3_protocol_options"] = {}
    kind = f"{_FILTER}.network.http_connection_manager.v3.HttpConnectionManager"
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": {"@type": kind, **settings}}


def _routes(front: Front) -> Document:
    address = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
    forwarded = {"header": {"key": "x-forwarded-for", "value": address}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}
    host: dict[str, Any] = {
        "name": "all",
        "domains": ["*"],
        "request_headers_to_add": [forwarded],
        "request_headers_to_remove": ["x-garrison-request", "x-envoy-external-address", "x-envoy-expected-rq-timeout-ms"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": APPLICATION, "timeout": "0s"}}],
    }
    if front.http3 and front.certificate is not None:
        offer = {"header": {"key": "alt-svc", "value": f'h3=":{front.listen.port}"; ma=86400'}}
        host["response_headers_to_add"] = [offer]
    return {"name": "front", "virtual_hosts": [host]}


def _filters(front: Front, *, fingerprinted: bool) -> list[Document]:
    found = [_fingerprints()] if fingerprinted else []
    found += [_decompressor(*each) for each in _ENCODINGS if front.undo_codings]
    found += (
        _asking_inspectors(front, fingerprinted=fingerprinted)
        if front.module is None
        else [_asking_inside(front.module, fail_open=front.fail_open, fingerprinted=fingerprinted)]
    )
    return [*found, _filter("router", "Router", _ROUTER)]


def _asking_inspectors(front: Front, *, fingerprinted: bool) -> list[Document]:
    source = files("garrison.edge.proxy").joinpath("request.lua").read_text(encoding="utf-8")
    script = f"local FINGERPRINTED = {'true' if fingerprinted else 'false'}\n{source}"
    lua = {"default_source_code": {"inline_string": script}}
    return [_filter("lua", "Lua", lua), _filter("ext_authz", "ExtAuthz", _asking(front))]


def _asking_inside(module: Path, *, fail_open: bool, fingerprinted: bool) -> Document:
    """Our module in Envoy's process (``inside.c``)."""
    words = [*(["open"] if fail_open else []), *(["fingerprinted"] if fingerprinted else [])]
    loaded = {"name": "garrison", "module": {"local": {"filename": str(module)}}, "do_not_close": True}
    settings = {
        "dynamic_module_config": loaded,
        "filter_name": "garrison",
        "filter_config": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": ",".join(words)},
    }
    return _filter("dynamic_modules", "DynamicModuleFilter", settings)


def _decompressor(name: str, message: str, settings: Document) -> Document:
    """Undo one coding of a request's body, so that inspector and application read the same bytes."""
    kind = f"type.googleapis.com/envoy.extensions.compression.{name}.decompressor.v3.{message}"
    library = {"name": name, "typed_config": {"@type": kind, **settings}}
    found = {
        "decompressor_library": library,
        "request_direction_config": {"common_config": {"ignore_no_transform_header": True}, "advertise_accept_encoding": False},
        "response_direction_config": {"common_config": {"enabled": {"default_value": False, "runtime_key": f"response.{name}"}}},
    }
    return {**_filter("decompressor", "Decompressor", found), "name": f"decompressor.{name}"}


_ENCODINGS: Final[Sequence[tuple[str, str, Document]]] = (
    ("gzip", "Gzip", {}),
    ("brotli", "Brotli", {}),
    ("zstd", "Zstd", {}),
)
_ROUTER: Final = {"suppress_envoy_headers": True}


def _filter(name: str, message: str, settings: Document) -> Document:
    kind = f"{_FILTER}.http.{name}.v3.{message}"
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": kind, **settings}}


def _fingerprints() -> Document:
    """Tell the script of the client's JA3 and JA4, which it cannot ask for. The client's own headers of these names go."""
    mutations: list[Document] = []
    for name in ("ja3", "ja4"):
        key = f"x-garrison-{name}"
        value = {"key": key, "value": f"%TLS_{name.upper()}_FINGERPRINT%"}
        mutations += [{"remove": key}, {"append": {"header": value, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}]
    return _filter("header_mutation", "HeaderMutation", {"mutations": {"request_mutations": mutations}})


def _asking(front: Front) -> Document:
    """The question to the inspectors. Without an answer the load balancer of AWS says 500, so does this one."""
    service = {
        "server_uri": {"uri": "http://inspector", "cluster": INSPECTORS, "timeout": seconds(front.bounds.verdict_seconds)},
        "authorization_response": {
            "allowed_upstream_headers": {"patterns": [{"prefix": "x-amzn-waf-"}]},
            "allowed_client_headers": {"patterns": [{"safe_regex": {"regex": ".*"}}]},
            "dynamic_metadata_from_headers": {"patterns": [{"exact": "x-garrison-watch"}]},
        },
    }
    return {
        "transport_api_version": "V3",
        "failure_mode_allow": front.fail_open,
        "status_on_error": {"code": 500},
        "allowed_headers": {"patterns": [{"exact": "x-garrison-request"}]},
        "with_request_body": {"max_request_bytes": INSPECTED_BYTES, "allow_partial_message": True, "pack_as_bytes": True},
        "http_service": service,
    }


def _metrics(address: Address) -> dict[str, Any]:
    """`/metrics` is answered by an inspector for all of them, `/envoy` by Envoy itself; nothing else of either is reachable."""
    routes = [
        {"match": {"path": "/metrics"}, "route": {"cluster": INSPECTORS}},
        {"match": {"path": "/envoy"}, "route": {"cluster": ADMIN, "prefix_rewrite": "/stats/prometheus"}},
    ]
    settings = {
        "stat_prefix": "metrics",
        "route_config": {"virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": routes}]},
        "http_filters": [_filter("router", "Router", {})],
    }
    kind = f"{_FILTER}.network.http_connection_manager.v3.HttpConnectionManager"
    manager = {"name": "envoy.filters.network.http_connection_manager", "typed_config": {"@type": kind, **settings}}
    return {"name": "metrics", "address": _socket(address), "filter_chains": [{"filters": [manager]}]}
