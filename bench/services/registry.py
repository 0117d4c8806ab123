# SPDX-License-Identifier: MIT
"""All services, in the order of every report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.services import databases, programs, redis
from bench.services.service import Service

_ALL: Sequence[type[Service]] = (
    redis.Redis,
    databases.Postgres,
    databases.MariaDB,
    databases.RocksDB,
    programs.Ruby,
    programs.Python,
    programs.Spike,
    programs.Drift,
    programs.Churn,
    programs.Pool,
)

SERVICES: Mapping[str, type[Service]] = {service.name: service for service in _ALL}
"""By name."""
