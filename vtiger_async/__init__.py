"""The asyncio client SDK for the Vtiger CRM REST API."""
