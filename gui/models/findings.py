"""Findings as a list, the gravest first."""

from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from typing_extensions import override

from core.findings import Finding

RANK = {"error": 0, "warning": 1, "info": 2}
FindingRole = Qt.ItemDataRole.UserRole + 1


class FindingsModel(QAbstractListModel):
    """Rows are `Finding` values."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.findings: tuple[Finding, ...] = ()

    def set_findings(self, findings: tuple[Finding, ...]) -> bool:
        """Show these, sorted by severity and otherwise in their order. Returns whether anything changed."""
        ordered = tuple(sorted(findings, key=lambda finding: RANK[finding.severity]))
        if ordered == self.findings:
            return False
        self.beginResetModel()
        self.findings = ordered
        self.endResetModel()
        return True

    def count(self, severity: str) -> int:
        """How many findings of a severity there are."""
        return sum(finding.severity == severity for finding in self.findings)

    @override
    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.findings)

    @override
    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        finding = self.findings[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return finding.message
        if role == Qt.ItemDataRole.ToolTipRole:
            return finding.detail or finding.message
        if role == Qt.ItemDataRole.AccessibleTextRole:
            where = f" at {finding.layer}" if finding.layer else ""
            return f"{finding.severity}{where}: {finding.message}"
        if role == FindingRole:
            return finding
        return None
