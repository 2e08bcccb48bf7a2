package SL::Probe;

# The probe of t/modules/mod_sl_probe.c: an httpd whose connections speak its protocol, and the questions of a test.
#
#   my $httpd = SL::Probe::httpd(mpm => 'event');          started; ->port('https') is a TLS port
#   my $probe = SL::Probe->new($client->tls('one.test'));
#   my @lines = $probe->ask("READ 5\nhello");              what the command answered

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use SL::Certs;
use SL::Command qw(run scratch_dir find_program);
use SL::Conf qw(tls_host);
use SL::Httpd;

my $sources = abs_path(dirname(__FILE__) . '/../../modules');
my %modules;

# The path of a module of t/modules, compiled once per test, away from the source.
sub module {
    my ($name) = @_;
    return $modules{$name} ||= do {
        my $dir = scratch_dir('sl-probe');
        copy("$sources/$name.c", $dir) or die "$name: $!";
        my $apxs = find_program('apxs', 'apxs2') or die 'no apxs';
        my $r = run([$apxs, '-c', "$name.c"], cwd => $dir, timeout => 60);
        die "apxs: $r->{out}$r->{err}" if $r->{status};
        "$dir/.libs/$name.so";
    };
}

sub httpd {
    my (%o) = @_;
    my $cert  = SL::Certs->new->server('one.test', type => 'ecdsa');
    my $httpd = SL::Httpd->new(%o, load => 'LoadModule sl_probe_module "' . module('mod_sl_probe') . '"');
    $httpd->config("Listen 127.0.0.1:\${port_https}\n" . tls_host('one.test', $cert, 'SLProbe on'));
    $httpd->file('docs/long', 'F' x 70000);
    return $httpd;
}

sub new { my ($class, $stream) = @_; return bless { stream => $stream }, $class }

sub stream { return $_[0]{stream} }

# Sends it (a newline is put behind a single line) and returns the answer's lines; nothing if the connection ended.
sub ask {
    my ($self, $text, $seconds) = @_;
    $text .= "\n" unless $text =~ /\n/;
    $self->{stream}->send($text);
    return $self->answer($seconds);
}

sub answer {
    my ($self, $seconds) = @_;
    my $answer = $self->{stream}->read_until(qr/^\.\n/m, $seconds) // return;
    $answer =~ s/^\.\n\z//m;
    return wantarray ? split /\n/, $answer : $answer;
}

1;
