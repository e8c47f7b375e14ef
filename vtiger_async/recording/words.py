"""The words that say nothing of anybody: codes of Vtiger, and what its own messages are made of."""

from __future__ import annotations

__all__ = ["CODES", "METADATA", "PLAIN", "SAID", "TAGS", "TEXT_TYPES"]

_CODES = """
    delete_all elementType fieldTypeList fieldTypeList[] fieldname id modifiedTime module
    operation relatedLabel relatedRecordId relatedType relationIdLabel searchIn serviceName
    sessionName accessKey sourceRecordId sourcefield syncType targetfield type
"""
_METADATA = """
    add_picklist delete_picklist edit_picklist editionLimits listtypes picklist_dependency
    relatedtypes
"""
_PLAIN = """
    _module count currency_code date_format delete_all fieldname fileid filesize filetype
    hour_format id imageattachmentids is_admin is_owner language modifiedTime lastModifiedTime
    record_module setype source status time_zone version vtigerVersion userId
"""
_SAID = """
    a an and are at by does for has have in is it no not of on one or the there to with you your
    access accesskey already any authencation authentication cannot challenge closed code command
    attribute convert converted create created current data database date denied delete deleted
    detected duplicate duplicates element end error exceeded exist exists expected expired failed
    field fields file format found given id identifier in inactive incorrect information input
    internal invalid lead limit line login mandatory message method missing mode module name object
    operation owner parameter password perform permission picklist processing provided query read
    record records reference related relation request requested required s server session specified
    sql state status successfull successfully syntax text token trying type unable unexpected
    unknown unsupported update updated user username value values while write wrong
    asterisk colon columnname from gte integer like limit lte parenclose parenopen select semicolon
    sqt where
"""
_TAGS = "a b br div em h1 h2 h3 i img li ol p script span strong table tbody td th tr u ul"
_TEXT_TYPES = "string text email phone url skype richtext"

CODES = frozenset(_CODES.split())
"""Parameters that are codes of Vtiger."""
METADATA = frozenset(_METADATA.split())
"""Operations that speak of the instance and not of its records."""
PLAIN = frozenset(_PLAIN.split())
"""Names of values that are codes wherever they stand, where the value has the form of one."""
SAID = frozenset(_SAID.split())
"""Words of the server's own messages, which stay though a record may hold them too."""
TAGS = frozenset(_TAGS.split())
"""The tags of HTML that stand in texts."""
TEXT_TYPES = frozenset(_TEXT_TYPES.split())
"""The types of fields whose default is somebody's text."""
