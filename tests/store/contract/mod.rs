//! What every store promises, whatever it is made of: the rules that the ports of `core` state, each of them tried on
//! each store. A store is handed in by one function that makes an empty one, and [`contract!`].

mod agreeing;
mod crashing;
mod finding;
mod keeping;
mod picture;
mod writing;

use stepwell::core::ports::Storage;
use stepwell::store::{MemoryStore, Mode, SqliteStore};
use tempfile::TempDir;

/// What several processes use together.
pub trait Database: Sync {
    /// What one process has of it.
    fn open(&self) -> Box<dyn Storage>;
}

/// Makes an empty one.
pub type NewDatabase = fn() -> Box<dyn Database>;

/// An empty one, and what a process has of it.
fn fresh(new: NewDatabase) -> (Box<dyn Database>, Box<dyn Storage>) {
    let database = new();
    let store = database.open();
    (database, store)
}

/// A test for each rule, on one store.
macro_rules! each_rule {
    ($store:ident: $($subject:ident { $($rule:ident)* })*) => {
        mod $store {
            $(mod $subject {
                $(#[test]
                fn $rule() {
                    super::super::$subject::$rule(super::super::$store);
                })*
            })*
        }
    };
}

/// All rules, on the store that the function of that name makes.
macro_rules! contract {
    ($store:ident) => {
        each_rule! { $store:
            writing {
                what_was_written_is_read_back_to_the_letter
                a_run_is_created_once
                a_run_that_is_forked_begins_with_all_that_it_adopts
                whoever_comes_second_is_told_and_nothing_is_written
                a_process_that_lost_the_run_cannot_write_to_it
                of_two_that_take_a_run_over_the_first_has_it_even_if_it_writes_nothing
                a_run_that_is_not_there_is_named
                two_processes_that_write_at_once_lose_nothing
                a_definition_is_pinned_by_its_content_and_found_where_it_lies_now
                a_value_nested_as_deep_as_a_model_may_send_it_is_read_back
                a_number_is_the_same_number_when_it_is_read_again
                what_a_later_version_wrote_is_kept_as_it_was
                a_deleted_run_takes_with_it_only_what_no_other_run_needs
                a_handle_that_was_closed_is_refused_everything_and_others_are_not
                whoever_watches_sees_that_anything_was_written
            }
            finding {
                the_newest_runs_come_first_and_say_where_they_stand
                every_filter_holds
                a_run_that_was_archived_is_listed_apart_until_anything_happens_in_it
                a_deadline_is_listed_while_the_run_waits_for_it
                a_run_is_found_by_what_any_part_of_it_said
                what_a_person_types_is_never_query_syntax
                scripts_without_spaces_are_searched_inside_and_to_the_last_character
                accents_and_case_do_not_matter
                the_match_is_shown_with_what_is_around_it
                words_of_one_text_are_found_together_whatever_their_order
                a_word_is_found_in_every_run_that_has_it_not_only_where_it_is_written_the_same
                what_is_still_being_written_is_found_too
                a_deleted_run_is_found_no_more
                a_run_is_named_by_either_end_of_its_id
                the_runs_that_were_made_from_a_run_are_known
                a_name_with_signs_means_what_it_says
                a_run_is_found_by_its_task_and_by_its_title_too
                what_changed_last_comes_first_in_the_list_and_in_the_search_page_by_page
            }
            keeping {
                a_lesson_is_listed_once_changed_and_removed
                a_lesson_belongs_to_the_definition_that_declares_its_step
                a_session_remembers_its_state_and_its_completed_runs
                what_a_deleted_run_taught_and_left_to_its_session_stays
                unsaved_text_survives_with_its_run
                a_form_that_was_not_sent_is_kept_by_its_task
                an_accepted_result_of_another_run_is_found_while_it_is_young_and_stands
            }
            crashing {
                whatever_a_call_returned_from_is_there_after_a_crash_and_the_next_process_continues
                calls_of_many_processes_are_as_those_of_one
                what_is_refused_changes_nothing
            }
            agreeing {
                whatever_happens_each_store_answers_as_the_one_in_memory
            }
        }
    };
}

contract!(sqlite);
contract!(memory);

/// A file in a folder of its own.
struct File(TempDir);

impl Database for File {
    fn open(&self) -> Box<dyn Storage> {
        Box::new(SqliteStore::open(&self.0.path().join("stepwell.db"), Mode::Write).unwrap())
    }
}

fn sqlite() -> Box<dyn Database> {
    Box::new(File(tempfile::tempdir().unwrap()))
}

impl Database for MemoryStore {
    fn open(&self) -> Box<dyn Storage> {
        Box::new(self.another())
    }
}

fn memory() -> Box<dyn Database> {
    Box::new(MemoryStore::new())
}
