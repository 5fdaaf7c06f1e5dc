"""Limits and access of the service, which environment variables set."""

from __future__ import annotations

import os
from typing import Annotated, Self

from pydantic import BaseModel, ByteSize, ConfigDict, Field, ValidationError

from outsort.errors import ServiceError, in_plain_words

#: What the names of the environment variables begin with.
ENVIRONMENT = "OUTSORT_"
_Count = Annotated[int, Field(ge=1, le=10_000)]
_Size = Annotated[ByteSize, Field(ge=1)]
_Seconds = Annotated[float, Field(gt=0, le=86_400)]


class ServiceSettings(BaseModel):
    """Limits and access settings of the service.

    Attributes:
        token: bearer token that clients must send; None for no authentication, and then only requests with a
            local Host header are answered, to prevent DNS rebinding.
        max_body: size limit of a request, in bytes, except for files.
        max_file: size limit of a file, in bytes.
        max_unpacked: size limit of a compressed file or a workbook once decompressed, in bytes.
        memory: limit of the memory of a process that scores files, in bytes, on Linux. It needs about 250 MB
            before it reads a file.
        max_requests: limit of requests in progress, once their body has arrived; others get status 503.
        workers: threads that answer texts, and processes that score files.
        max_waiting: limit of requests waiting for a thread; a quarter of it for files.
        upload_seconds: time limit for receiving a request.
        answer_seconds: time limit for computing an answer.
        grace_seconds: time limit for the requests in progress when the service is stopped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: str | None = None
    max_body: _Size = ByteSize(4 << 20)
    max_file: _Size = ByteSize(32 << 20)
    max_unpacked: _Size = ByteSize(128 << 20)
    memory: Annotated[ByteSize, Field(ge=512 << 20)] = ByteSize(768 << 20)
    max_requests: _Count = 64
    workers: _Count = 2
    max_waiting: Annotated[int, Field(ge=0, le=10_000)] = 32
    upload_seconds: _Seconds = 60
    answer_seconds: _Seconds = 60
    grace_seconds: _Seconds = 30

    @classmethod
    def from_environment(cls) -> Self:
        """Return the settings that the environment variables `OUTSORT_…` give, such as OUTSORT_MAX_FILE=64MiB.

        Raises:
            ServiceError: a variable is not known, or its value not valid.
        """
        given = {
            name.removeprefix(ENVIRONMENT).lower(): value
            for name, value in os.environ.items()
            if name.startswith(ENVIRONMENT)
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            fault = error.errors()[0]
            name = str(fault["loc"][0])
            variable = ENVIRONMENT + name.upper()
            if name not in cls.model_fields:
                known = ", ".join(ENVIRONMENT + field.upper() for field in cls.model_fields)
                raise ServiceError(f"{variable}: is not a setting. Known are {known}.") from None
            raise ServiceError(f"{variable}: {given[name]!r} {in_plain_words(fault['msg'])}.") from None
