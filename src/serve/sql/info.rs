//! What the server can, and its types: constants that clients ask for.

use std::sync::LazyLock;

use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    Nullable, Searchable, SqlInfo, SqlNullOrdering, SqlSupportedCaseSensitivity, SqlSupportedTransaction, XdbcDataType,
    XdbcDatetimeSubcode,
};

use super::super::refusal::Refusal;

/// The version of the columnar format.
const ARROW: &str = "1.5";

static INFO: LazyLock<Result<SqlInfoData, String>> = LazyLock::new(|| {
    let mut info = SqlInfoDataBuilder::new();
    info.append(SqlInfo::FlightSqlServerName, "spanql");
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, ARROW);
    info.append(SqlInfo::FlightSqlServerReadOnly, true);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    info.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    info.append(SqlInfo::FlightSqlServerCancel, false);
    info.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    info.append(SqlInfo::SqlDdlCatalog, false);
    info.append(SqlInfo::SqlDdlSchema, false);
    info.append(SqlInfo::SqlDdlTable, false);
    info.append(SqlInfo::SqlIdentifierCase, SqlSupportedCaseSensitivity::SqlCaseSensitivityCaseInsensitive as i32);
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    info.append(SqlInfo::SqlQuotedIdentifierCase, SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32);
    info.append(SqlInfo::SqlAllTablesAreSelectable, true);
    info.append(SqlInfo::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedHigh as i32);
    info.append(SqlInfo::SqlTransactionsSupported, false);
    info.build().map_err(|error| error.to_string())
});

static TYPES: LazyLock<Result<XdbcTypeInfoData, String>> = LazyLock::new(|| {
    let mut types = XdbcTypeInfoDataBuilder::new();
    let bare = |name: &str, data_type: XdbcDataType| XdbcTypeInfo {
        type_name: name.to_owned(),
        data_type,
        sql_data_type: data_type,
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Full,
        ..XdbcTypeInfo::default()
    };
    let number = |name: &str, data_type: XdbcDataType, digits: i32| XdbcTypeInfo {
        column_size: Some(digits),
        unsigned_attribute: Some(false),
        num_prec_radix: Some(10),
        ..bare(name, data_type)
    };
    let quote = || Some("'".to_owned());
    types.append(XdbcTypeInfo {
        case_sensitive: true,
        literal_prefix: quote(),
        literal_suffix: quote(),
        ..bare("VARCHAR", XdbcDataType::XdbcVarchar)
    });
    types.append(bare("BOOLEAN", XdbcDataType::XdbcBit));
    types.append(number("INTEGER", XdbcDataType::XdbcInteger, 10));
    types.append(number("BIGINT", XdbcDataType::XdbcBigint, 19));
    types.append(number("DOUBLE", XdbcDataType::XdbcDouble, 15));
    types.append(XdbcTypeInfo {
        literal_prefix: quote(),
        literal_suffix: quote(),
        column_size: Some(29),
        maximum_scale: Some(9),
        datetime_subcode: Some(XdbcDatetimeSubcode::XdbcSubcodeTimestamp),
        sql_data_type: XdbcDataType::XdbcDatetime,
        ..bare("TIMESTAMP", XdbcDataType::XdbcTimestamp)
    });
    types.append(bare("LIST", XdbcDataType::XdbcUnknownType));
    types.build().map_err(|error| error.to_string())
});

pub(super) fn info() -> Result<&'static SqlInfoData, Refusal> {
    INFO.as_ref().map_err(|error| Refusal::internal(error.as_str()))
}

pub(super) fn types() -> Result<&'static XdbcTypeInfoData, Refusal> {
    TYPES.as_ref().map_err(|error| Refusal::internal(error.as_str()))
}
