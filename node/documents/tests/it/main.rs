//! Documents as their users see them: real files, hostile files, folders.

mod folders;
mod golden;
mod hostile;
