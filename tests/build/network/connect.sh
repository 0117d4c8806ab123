#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Prints what the listener on a port of this machine says.
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/$1"
cat <&3
