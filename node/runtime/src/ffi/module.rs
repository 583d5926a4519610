//! Modules: compile, parse, validate, and what they import.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use wasmedge_sys::ffi as c;

use super::{Failure, check, copy_text, log, owned};

owned!(
    /// Settings that loader, compiler and executor must agree on.
    Configure, WasmEdge_ConfigureContext, WasmEdge_ConfigureDelete
);
owned!(CompilerContext, WasmEdge_CompilerContext, WasmEdge_CompilerDelete);
owned!(Loader, WasmEdge_LoaderContext, WasmEdge_LoaderDelete);
owned!(Validator, WasmEdge_ValidatorContext, WasmEdge_ValidatorDelete);
owned!(Syntax, WasmEdge_ASTModuleContext, WasmEdge_ASTModuleDelete);

/// How a module runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Machine code from a custom section of the module.
    Aot,
    /// Instruction by instruction.
    Interpreter,
}

/// What a module's configuration depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModuleOptions {
    /// How it runs.
    pub(crate) mode: Mode,
    /// Count instructions.
    pub(crate) metered: bool,
    /// Linear memory of an instance, in pages of 64 KiB.
    pub(crate) memory_pages_max: u64,
}

impl Configure {
    fn new(options: ModuleOptions) -> Result<Self, Failure> {
        log::redirect();
        // SAFETY: takes nothing; `own` checks for null.
        let configure = Self::own(unsafe { c::WasmEdge_ConfigureCreate() })?;
        let mode = match options.mode {
            Mode::Aot => c::WasmEdge_RunMode_AOT,
            Mode::Interpreter => c::WasmEdge_RunMode_Interpreter,
        };
        let pointer = configure.as_ptr();
        // SAFETY: `pointer` is the live object; the setters copy plain values into it.
        unsafe {
            c::WasmEdge_ConfigureSetRunMode(pointer, mode);
            c::WasmEdge_ConfigureSetMaxMemoryPage(pointer, options.memory_pages_max);
            c::WasmEdge_ConfigureStatisticsSetCostMeasuring(pointer, options.metered);
            c::WasmEdge_ConfigureCompilerSetInterruptible(pointer, true);
            // The cache may outlive a move to another machine, so no instruction of this CPU alone.
            c::WasmEdge_ConfigureCompilerSetGenericBinary(pointer, true);
            c::WasmEdge_ConfigureCompilerSetOutputFormat(
                pointer,
                c::WasmEdge_CompilerOutputFormat_Wasm,
            );
            c::WasmEdge_ConfigureCompilerSetOptimizationLevel(pointer, optimization(options));
        }
        Ok(configure)
    }

    /// The executor's constructor needs the raw object.
    pub(super) fn raw(&self) -> *const c::WasmEdge_ConfigureContext {
        self.as_ptr()
    }
}

/// LLVM's level. Without counting, code of level 0 is within a sixth of level 2's speed on our chat
/// app, and compiled in 2 seconds instead of 19. Counting needs level 1 to cost a factor of 2 and
/// not 5.
fn optimization(options: ModuleOptions) -> c::WasmEdge_CompilerOptimizationLevel {
    if options.metered {
        c::WasmEdge_CompilerOptimizationLevel_O1
    } else {
        c::WasmEdge_CompilerOptimizationLevel_O0
    }
}

/// Compiles ahead of time.
pub(crate) struct Compiler {
    context: CompilerContext,
    /// The compiler keeps a reference to its configuration.
    _configure: Configure,
}

impl Compiler {
    /// `None` where WasmEdge was built without its compiler.
    pub(crate) fn new(options: ModuleOptions) -> Result<Option<Self>, Failure> {
        let configure = Configure::new(options)?;
        // SAFETY: the configuration lives as long as the compiler: one struct owns both.
        let pointer = unsafe { c::WasmEdge_CompilerCreate(configure.as_ptr()) };
        let Ok(context) = CompilerContext::own(pointer) else { return Ok(None) };
        Ok(Some(Self { context, _configure: configure }))
    }

    /// Compiles `wasm` into a file: the module with its machine code in a custom section.
    pub(crate) fn compile(&self, wasm: &[u8], output: &Path) -> Result<(), Failure> {
        let output = CString::new(output.as_os_str().as_bytes())
            .map_err(|_| Failure::of_ours("the cache's path holds a NUL".into()))?;
        let bytes = wrap(wasm)?;
        // SAFETY: compiler, bytes and path live for the call.
        check(unsafe {
            c::WasmEdge_CompilerCompileFromBytes(self.context.as_ptr(), bytes, output.as_ptr())
        })
    }
}

/// A parsed and validated module with the configuration it must be run with.
pub(crate) struct Module {
    syntax: Syntax,
    configure: Configure,
    options: ModuleOptions,
}

// SAFETY: after validation WasmEdge only reads the syntax tree and the configuration;
// instantiating takes both as constants and documents neither as bound to a thread.
unsafe impl Send for Module {}
// SAFETY: as above: all access after `parse` is reading.
unsafe impl Sync for Module {}

/// One import of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    /// The module it comes from.
    pub(crate) module: String,
    /// Its name there.
    pub(crate) name: String,
    /// False for a memory, table or global.
    pub(crate) is_function: bool,
}

impl Module {
    /// Parses and validates.
    pub(crate) fn parse(bytes: &[u8], options: ModuleOptions) -> Result<Self, Failure> {
        let configure = Configure::new(options)?;
        let syntax = load(&configure, bytes)?;
        validate(&configure, &syntax)?;
        Ok(Self { syntax, configure, options })
    }

    /// What it was parsed with.
    pub(crate) fn options(&self) -> ModuleOptions {
        self.options
    }

    /// Everything it imports, in the module's order.
    pub(crate) fn imports(&self) -> Vec<Import> {
        let module = self.raw();
        // SAFETY: the syntax tree lives; the list holds as many entries as WasmEdge says there are,
        // and each entry lives as long as the tree.
        unsafe {
            let length = c::WasmEdge_ASTModuleListImportsLength(module);
            let mut list = vec![std::ptr::null(); length as usize];
            c::WasmEdge_ASTModuleListImports(module, list.as_mut_ptr(), length);
            list.into_iter().map(|import| read_import(import)).collect()
        }
    }

    /// Names of the exported functions, and the smallest size of each exported memory in pages.
    pub(crate) fn exports(&self) -> (Vec<String>, Vec<u64>) {
        let module = self.raw();
        let (mut functions, mut memory_pages) = (Vec::new(), Vec::new());
        // SAFETY: as in `imports`; a memory's type and limit belong to the tree as well.
        unsafe {
            let length = c::WasmEdge_ASTModuleListExportsLength(module);
            let mut list = vec![std::ptr::null(); length as usize];
            c::WasmEdge_ASTModuleListExports(module, list.as_mut_ptr(), length);
            for export in list {
                let kind = c::WasmEdge_ExportTypeGetExternalType(export);
                if kind == c::WasmEdge_ExternalType_Function {
                    functions.push(copy_text(c::WasmEdge_ExportTypeGetExternalName(export)));
                } else if kind == c::WasmEdge_ExternalType_Memory {
                    let memory = c::WasmEdge_ExportTypeGetMemoryType(module, export);
                    let limit = c::WasmEdge_MemoryTypeGetLimit(memory);
                    memory_pages.push(c::WasmEdge_LimitGetMin(limit));
                }
            }
        }
        (functions, memory_pages)
    }

    pub(super) fn raw(&self) -> *const c::WasmEdge_ASTModuleContext {
        self.syntax.as_ptr()
    }

    pub(super) fn configure(&self) -> &Configure {
        &self.configure
    }
}

fn load(configure: &Configure, bytes: &[u8]) -> Result<Syntax, Failure> {
    // SAFETY: the configuration outlives the loader, which ends with this function.
    let loader = Loader::own(unsafe { c::WasmEdge_LoaderCreate(configure.as_ptr()) })?;
    let mut syntax = std::ptr::null_mut();
    let bytes = wrap(bytes)?;
    // SAFETY: loader and bytes live for the call; on success `syntax` is a fresh object.
    check(unsafe { c::WasmEdge_LoaderParseFromBytes(loader.as_ptr(), &raw mut syntax, bytes) })?;
    Syntax::own(syntax)
}

fn validate(configure: &Configure, syntax: &Syntax) -> Result<(), Failure> {
    // SAFETY: the configuration outlives the validator, which ends with this function.
    let validator = Validator::own(unsafe { c::WasmEdge_ValidatorCreate(configure.as_ptr()) })?;
    // SAFETY: both objects live for the call.
    check(unsafe { c::WasmEdge_ValidatorValidate(validator.as_ptr(), syntax.as_ptr()) })
}

/// # Safety
/// `import` must come from a living syntax tree.
unsafe fn read_import(import: *const c::WasmEdge_ImportTypeContext) -> Import {
    // SAFETY: the caller promises that the import, and with it its names, lives.
    unsafe {
        Import {
            module: copy_text(c::WasmEdge_ImportTypeGetModuleName(import)),
            name: copy_text(c::WasmEdge_ImportTypeGetExternalName(import)),
            is_function: c::WasmEdge_ImportTypeGetExternalType(import)
                == c::WasmEdge_ExternalType_Function,
        }
    }
}

/// Bytes as WasmEdge takes them; the result borrows `bytes`.
fn wrap(bytes: &[u8]) -> Result<c::WasmEdge_Bytes, Failure> {
    let length = u32::try_from(bytes.len())
        .map_err(|_| Failure::of_ours("a module may not be over 4 GiB".into()))?;
    // SAFETY: only wraps pointer and length; every caller keeps `bytes` alive for its call.
    Ok(unsafe { c::WasmEdge_BytesWrap(bytes.as_ptr(), length) })
}
