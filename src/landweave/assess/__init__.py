"""Map x reference -> error matrix, accuracy, areas with intervals, and the report."""

from landweave.assess.document import Assessment, assessment_schema, read_assessment, write_assessment

__all__ = ["Assessment", "assessment_schema", "read_assessment", "write_assessment"]
