"""The live page and the one HTTP server; the only importer of Starlette and uvicorn."""
