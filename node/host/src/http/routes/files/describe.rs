//! The routes, and what the document says of them.

use super::upload::PURPOSES;
use super::{FileObject, PAGE, content, delete, download, list, one, post};
use crate::http::openapi::{Operation, Routes, Schema};

const ONE: &str = "/v1/files/{id}";
const ID: &str = "The file's id.";

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .route(upload_operation(), post)
        .route(list_operation(), list)
        .route(
            Operation::get(ONE, "get_file")
                .segment("id", ID)
                .says("What one file is.")
                .answers_with::<FileObject<'static>>(),
            one,
        )
        .route(
            Operation::delete(ONE, "delete_file")
                .segment("id", ID)
                .says("Removes a file, from vector stores too.")
                .answers(deleted()),
            delete,
        )
        .route(
            Operation::get("/v1/files/{id}/content", "file_content")
                .segment("id", ID)
                .says("The bytes of a file.")
                .answers_in("application/octet-stream", Schema::bytes()),
            content,
        )
        .route(
            // The type is that of the file.
            Operation::get("/v1/files/download/{id}", "download_file")
                .segment("id", ID)
                .says("The bytes of a file, under its own name, as LlamaEdge answers them.")
                .answers_in("*/*", Schema::bytes()),
            download,
        )
}

fn upload_operation() -> Operation {
    let form = Schema::object()
        .needs("file", Schema::bytes())
        .may("purpose", Schema::words(&PURPOSES).says("It changes nothing."));
    Operation::post("/v1/files", "upload_file")
        .says("Takes a file. Vector stores, chunks and downloads name it by its id.")
        .takes_upload("multipart/form-data", form)
        .answers_with::<FileObject<'static>>()
}

fn list_operation() -> Operation {
    Operation::get("/v1/files", "list_files")
        .says("Lists the files of whoever asks.")
        .query("purpose", Schema::text(), "Files of this purpose alone.")
        .pages(PAGE.max)
        .answers_page_of::<FileObject<'static>>()
}

fn deleted() -> Schema {
    Schema::open()
        .needs("id", Schema::text())
        .needs("object", Schema::text())
        .needs("deleted", Schema::flag())
}
